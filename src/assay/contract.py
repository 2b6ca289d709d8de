"""The contract: what a system (data) and a task (what is trained) give to the platform.

The platform never names a system. `assay.systems.<system>.data` holds `SYSTEMS`, and
`assay.systems.<system>.tasks` holds `TASKS`; both are found by name, when somebody asks. They stand
apart so that a change of a model leaves the data's stages as they are. Importing them is cheap: torch and
friends are imported inside the methods that need them.

The key of everything is the section of `params.yaml`: `hemoglobin.conjunctiva` is data (a part of a
system), `hemoglobin-conjunctiva` is a task. `ingest@<data>`, `train@<task>`, `data/<data>/`,
`models/<task>/`, `reports/<either>/` follow from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from assay.lookup import find, listed
from assay.params import Section
from assay.sections import DataParams, TaskParams

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from assay.manifest.rows import Rows
    from assay.manifest.source import Source
    from assay.runs.run import Run

    Predictor = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]

GROUP_KINDS = ("patient", "session", "content", "sample")
CUT = "#"  # between a row's id and the number of a cut of it


@dataclass(frozen=True)
class Rule:
    """One thing that must be true of the labels, as an expectation of Great Expectations.

    `rows` says which rows it judges: `all` rows with a readable label, those `kept` for training, or
    each `subset` of the readable ones by itself.
    """

    name: str
    expectation: str
    arguments: Mapping[str, Any]
    meaning: str
    rows: str = "kept"


@dataclass(frozen=True)
class Check:
    """One check: what was expected, what was found, which rows failed."""

    name: str
    passed: bool
    expected: str
    found: str
    checked: int
    rows: Sequence[Any] = field(default_factory=tuple)
    mend: str = ""

    def line(self) -> str:
        """Return the check as one line for people."""
        return f"  {'ok  ' if self.passed else 'STOP'}  {self.name}: {self.found}"


@dataclass(frozen=True)
class Range:
    """Keep samples whose label lies in [low, high]; the others are filtered, not broken."""

    column: str
    low: float
    high: float


@dataclass(frozen=True)
class Listing:
    """What a source says it holds, before any image is opened.

    `table` has one row a sample: `sample_id`, `uri` (relative to the source, or standing for itself),
    `item`, `group` (as published), `subset` (the table or folder it is from), the label columns, and
    `fault`: null, or the reason why the row cannot be used. `line` may say where it stands in its
    table. `tables` are the files that were read to know this.
    """

    table: pl.DataFrame
    group_kind: str
    tables: Sequence[str]

    def files(self) -> list[str]:
        """Return every file that belongs to the source, tables first."""
        return [*self.tables, *self.table["uri"].unique().sort()]


@dataclass(frozen=True)
class Score:
    """How a metric is written for people, and which way is better.

    Attributes:
        metric: its name in the task's metrics.
        unit: of the value, or empty.
        digits: after the point.
        best: what a perfect prediction has: 0 for an error (lower is better), 1 for a share.
        trivial: what the task's baseline says, in words.
    """

    metric: str
    unit: str = ""
    digits: int = 2
    best: float = 0.0
    trivial: str = "mean"

    @property
    def name(self) -> str:
        """Return the metric as people write it; the unit stands behind the value."""
        return self.metric.removesuffix(f"_{self.unit}").replace("_", " ").upper()

    def gain(self, new: float, old: float) -> float:
        """Return how much better `new` is than `old`, in the metric's unit; positive is better."""
        return abs(old - self.best) - abs(new - self.best)

    def skill(self, own: float, trivial: float) -> float:
        """Return the share of the trivial predictor's distance from the best that is gone.

        1 − own/trivial for errors; nan where the trivial predictor is perfect.
        """
        distance = abs(trivial - self.best)
        return self.gain(own, trivial) / distance if distance else float("nan")


class System(Protocol):
    """One set of data: where it comes from, what its labels mean, how a phantom of it is made."""

    name: str
    target: str
    fit: str  # `stretch` or `letterbox`: how an oblong photograph becomes a square stored image

    @property
    def params(self) -> type[DataParams]:
        """Return the model of the section in `params.yaml`."""
        ...

    def phantom(self, folder: Path, params: Any) -> None:
        """Write a small set in the published layout into the empty `folder`; deterministic."""
        ...

    def read(self, source: Source) -> Listing:
        """List the samples of `source`; a row that cannot be read carries its `fault`."""
        ...

    def filters(self, params: Any) -> Sequence[Range]:
        """Return the ranges outside of which a sample is not used."""
        ...

    def masked(self, table: pl.DataFrame, params: Any) -> pl.DataFrame:
        """Return the manifest without what, as the images are, labels cannot be.

        What is learned of them may be settled here too: `params` is the section's `ingest`.
        """
        ...

    def rules(self) -> Sequence[Rule]:
        """Return what must be true of the labels, column by column."""
        ...

    def checks(self, table: pl.DataFrame) -> Sequence[Check]:
        """Return what else the label gate judges of a manifest: what no single column shows."""
        ...


@runtime_checkable
class Choosing(Protocol):
    """What a system may offer beyond its contract: a choice of samples, before any is opened."""

    def chosen(self, table: pl.DataFrame, params: Any) -> pl.DataFrame:
        """Return the rows of a listing that are wanted, grouped as `ingest` says."""
        ...


@runtime_checkable
class Parting(Protocol):
    """What a system may offer beyond its contract: a split of its own, judged like any other."""

    def parted(self, rows: pl.DataFrame, how: Any) -> pl.DataFrame:
        """Return `sample_id, split, fold` of every row; no group stands in two of them."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """What a system may offer beyond its contract: tracked facts that a snapshot adds to."""

    def remembered(self, root: Path, source: str, listing: Listing) -> Path:
        """Write what a listing adds to a tracked file below `root`, and return its path."""
        ...


class Task(Protocol):
    """What is trained on one set of data, and how it is scored."""

    name: str
    data: str
    headline: Score

    @property
    def params(self) -> type[TaskParams]:
        """Return the model of the section in `params.yaml`."""
        ...

    def agrees(self, own: Any, data: Any) -> str:
        """Return why the task's parameters do not go with its data's, or an empty text."""
        ...

    def labels(self, rows: Rows) -> npt.NDArray[np.float32]:
        """Return what predictions are scored against, (n, columns) float32, in the manifest's units."""
        ...

    def fit(self, train: Rows, valid: Rows, params: Any, run: Run) -> None:
        """Preflight, train, and leave weights, history and record in `run.folder`."""
        ...

    def predictor(self, weights: Path, params: Any) -> Predictor:
        """Return: uint8 images (n, h, w, 3), indexed by batches → predictions (n, outputs)."""
        ...

    def restore(self, predictions: npt.NDArray[np.float32], rows: Rows) -> npt.NDArray[np.float32]:
        """Return predictions in the labels' units: those of the original image, not of the stored one."""
        ...

    def baseline(self, train: Rows, rows: Rows) -> npt.NDArray[np.float32]:
        """Return what the trivial predictor, fitted on the training labels alone, says of `rows`."""
        ...

    def metrics(
        self, predictions: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]
    ) -> dict[str, float]:
        """Return every metric by name, of restored predictions; names fit MLflow (no `@`)."""
        ...

    def rank(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return the epoch rule as a sort key: the lowest is the best epoch."""
        ...

    def pictures(
        self,
        predictions: npt.NDArray[np.float32],
        rows: Rows,
        folder: Path,
    ) -> None:
        """Draw the pictures that people look at first, as PNG files in `folder`."""
        ...


@runtime_checkable
class Drawing(Protocol):
    """What a task may offer beyond its contract: a picture of one stored row and its labels."""

    def draw(self, row: Rows, path: Path) -> None:
        """Draw the only row of `row` into the PNG file `path`."""
        ...


@runtime_checkable
class Looking(Protocol):
    """What a task may offer beyond its contract: a picture of the part of an image that it sees."""

    def draw_seen(self, weights: Path, rows: Rows, folder: Path) -> None:
        """Draw what the network of these weights sees of some of the rows, as PNG files."""
        ...


@runtime_checkable
class Cutting(Protocol):
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
class Labelling(Protocol):
    """What a task may offer beyond its contract: its section says which labels it is taught."""

    def labelled(self, rows: Rows, params: Any) -> Rows: ...


@dataclass(frozen=True)
class Streamed:
    """What streaming a source has found.

    `table` has one row a sample: `sample_id, uri` (relative to the source), `item, group, subset`, the
    label columns, `digest`, `slot` (its place among the records, −1 where it has none), `status` and
    `reason`. `facts` go beside those of the manifest.
    """

    table: pl.DataFrame
    facts: Mapping[str, Any]


@runtime_checkable
class Streaming(Protocol):
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


def systems() -> dict[str, System]:
    """Return every data set by name."""
    return listed("data", "SYSTEMS")


def tasks() -> dict[str, Task]:
    """Return every task by name."""
    return listed("tasks", "TASKS")


def find_system(name: str) -> System:
    """Return the system of that name; importing no other system's folder."""
    found: System = find(name, "data", "SYSTEMS")
    return found


def find_task(name: str) -> Task:
    """Return the task of that name; importing no other system's folder."""
    found: Task = find(name, "tasks", "TASKS")
    return found


def task_rows(task: Task, rows: Rows, params: Any) -> Rows:
    """Return what the task is trained and scored on: its data's rows, cut or labelled as it says."""
    if isinstance(task, Cutting):
        return task.cut(rows, params)
    return task.labelled(rows, params) if isinstance(task, Labelling) else rows


def row_of(task: Task, sample_id: str) -> str:
    """Return the id of the data's row that one of the task's rows is, or was cut from."""
    return sample_id.rpartition(CUT)[0] if isinstance(task, Cutting) else sample_id


def sections() -> dict[str, type[Section]]:
    """Return the model of every section of `params.yaml`."""
    found: dict[str, type[Section]] = {name: each.params for name, each in systems().items()}
    composed = listed("compositions", "COMPOSITIONS")  # see `assay.composition`
    return found | {name: each.params for name, each in (tasks() | composed).items()}
