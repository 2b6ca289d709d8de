"""What a system may offer beyond its contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from assay.contract.checks import Check
    from assay.contract.curriculum import Curriculum
    from assay.contract.listing import Listing
    from assay.contract.traces import KeptData, Traces
    from assay.manifest.source import Source
    from assay.manifest.streamed import Streamed


@runtime_checkable
class SupportsSampling(Protocol):
    """What a system may offer beyond its contract: a choice of samples, before any is opened."""

    def chosen(self, table: pl.DataFrame, params: Any) -> pl.DataFrame:
        """Return the rows of a listing that are wanted, grouped as `ingest` says."""
        ...


@runtime_checkable
class SupportsCurriculum(Protocol):
    """What a system may offer beyond its contract: stages of growing data, judged one by one."""

    def curriculum(self) -> Curriculum:
        """Return the stages, and what is judged on them."""
        ...


@runtime_checkable
class SupportsSplit(Protocol):
    """What a system may offer beyond its contract: a split of its own, judged like any other."""

    def parted(self, rows: pl.DataFrame, how: Any) -> pl.DataFrame:
        """Return `sample_id, split, fold` of every row; no group stands in two of them."""
        ...


@runtime_checkable
class SupportsClassTable(Protocol):
    """What a system may offer beyond its contract: tracked facts that a snapshot adds to."""

    def remembered(self, root: Path, source: str, listing: Listing) -> Path:
        """Write what a listing adds to a tracked file below `root`, and return its path."""
        ...


@runtime_checkable
class SupportsStreaming(Protocol):
    """What a system offers beyond its contract whose samples are rows of array files.

    They are read once, in blocks, in memory that does not grow with them. Its `read` looks at headers
    alone: `group`, labels and faults of rows come from `stream`.
    """

    def stream(
        self, source: Source, params: Any, write: Callable[[npt.NDArray[np.void]], None]
    ) -> Streamed:
        """Judge every row, and hand the records of usable ones to `write`, in order of their slots.

        `source` is a local folder, `params` the system's section `ingest`. `write` takes a block of
        records: fields of targets, and how the structure is found, as `manifest.records` reads it.

        Raises:
            SourceError: the arrays are not what they claim to be, or changed while they were read.
        """
        ...


@runtime_checkable
class SupportsImageChecks(Protocol):
    """What a system may offer beyond its contract: labels held against the images themselves."""

    def check_images(
        self, table: pl.DataFrame, fetch: Callable[[pl.Series], npt.NDArray[np.uint8]]
    ) -> Sequence[Check]:
        """Judge a manifest; `fetch` leads digests to stored images (n, size, size, 3)."""
        ...


@runtime_checkable
class SupportsAgreement(Protocol):
    """What a system may offer beyond its contract: what of its labels can be seen in its pictures.

    Without it the target is looked for in colours and tones.
    """

    def traces(self, table: pl.DataFrame, stored: KeptData) -> Traces:
        """Return traces of usable rows of the manifest, a few dozen numbers each."""
        ...


@runtime_checkable
class SupportsSummary(Protocol):
    """What a system may offer beyond its contract: its own summary on the label gate's page."""

    def summarised(
        self, table: pl.DataFrame
    ) -> tuple[Mapping[str, Sequence[Mapping[str, Any]]], Mapping[str, bytes]]:
        """Return tables (rows of plain values) and figures (PNG files) of a manifest, by title."""
        ...


@runtime_checkable
class SupportsExport(Protocol):
    """What a system may offer beyond its contract: its data in forms that other tools read."""

    forms: Mapping[str, str]  # name → what it is

    def export(
        self,
        form: str,
        root: Path,
        place: Path,
        source: str,
        rows: Callable[[], tuple[pl.DataFrame, dict[str, Any]]],
    ) -> Path:
        """Write one of `forms`, and return what a person should look at.

        Args:
            form: its name.
            root: the repository's root, from which `uri` counts.
            place: where to: a new folder; of one file also its path.
            source: a folder to convert, or empty.
            rows: reads training and validation rows, and the facts about them.
        """
        ...
