"""What a task may offer beyond its contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from assay.contract.bundle import Bundle
    from assay.contract.scored import Floats
    from assay.manifest.rows import Rows


@runtime_checkable
class SupportsDrawing(Protocol):
    """What a task may offer beyond its contract: a picture of one stored row and its labels."""

    def draw_row(self, row: Rows, path: Path) -> None:
        """Draw the only row of `row` into the PNG file `path`."""
        ...


@runtime_checkable
class SupportsReport(Protocol):
    """What a task may offer beyond its contract: a report of a model of all folds, on its own page."""

    def report(
        self, predictions: Floats, rows: Rows, params: Any, model: Path, folder: Path
    ) -> None:
        """Write pages and pictures of what was said of the rows that validated.

        Args:
            predictions: (n, outputs), each by what was kept from its row's fold.
            rows: that validated.
            params: the task's section.
            model: the folder of its files.
            folder: of its reports: pictures go to `pictures`, a page to `tables`.
        """
        ...


@runtime_checkable
class SupportsInputPreview(Protocol):
    """What a task may offer beyond its contract: a picture of the part of an image that it sees."""

    def draw_seen(self, bundle: Bundle, rows: Rows, folder: Path) -> None:
        """Draw what a model, of one fold, sees of some of the rows that validate it, as PNG files."""
        ...


@runtime_checkable
class SupportsCrops(Protocol):
    """What a task may offer beyond its contract: it is trained on cuts of its data's rows.

    Whoever reads rows for a task asks `task_rows`; labels, predictions and scores are then of cuts.
    """

    def cut(self, rows: Rows, params: Any) -> Rows:
        """Return one row a cut, in the order of `rows`; images of the side that the network is handed.

        `sample_id` is the row's own, `CUT` and the number of the cut within it; every column that
        holds one value a row is kept, `group_id` and `fold` among them: an interval by group stays one.
        A cut depends on its own row alone, and on the task's section `params`.
        """
        ...


@runtime_checkable
class SupportsRelabel(Protocol):
    """What a task may offer beyond its contract: its section says which labels it is taught."""

    def labelled(self, rows: Rows, params: Any) -> Rows: ...


@runtime_checkable
class SupportsCombination(Protocol):
    """What a task may offer beyond its contract: one answer of several models. Boxes have none."""

    def combine(self, predictions: Sequence[Floats]) -> Floats:
        """Return what models (each n, outputs; label units) say together of the same rows."""
        ...


@runtime_checkable
class SupportsCounts(Protocol):
    """What a task may offer beyond its contract: metrics that are made of numbers of each row alone.

    A bootstrap then counts every row once, and not in each of its draws.
    """

    def counts(self, predictions: Floats, labels: Floats) -> npt.NDArray[np.float64]:
        """Return what the metrics are made of, a row each (n, k)."""
        ...

    def metrics_of(self, counts: npt.NDArray[np.float64]) -> dict[str, float]:
        """Return the metrics of the rows whose counts these are, as `metrics` does."""
        ...


@runtime_checkable
class SupportsSlices(Protocol):
    """What a task may offer beyond its contract: parts of the rows that are scored for themselves."""

    def slices(self, rows: Rows) -> Mapping[str, npt.NDArray[np.generic]]:
        """Return, by what the rows are parted (`machine`), the part (n,) that each row belongs to."""
        ...
