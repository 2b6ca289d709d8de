"""The contract of labels and loss: what is wrong with a set's targets, fault by fault, with its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from torch import nn

from assay.learning.targets import Classes, Joint, Points, Values, target_points

if TYPE_CHECKING:
    from assay.learning.targets import Kind
    from assay.learning.training_spec import TrainData, TrainingSpec

INTEGER_LOSSES = (nn.CrossEntropyLoss, nn.NLLLoss)
INDICES = "give class indices, int64 (n,): one_hot.argmax(axis=1)"
FROM_0 = "class 1 is index 0"

Rows = npt.NDArray[np.intp]


def _none() -> Rows:
    return np.empty(0, dtype=np.intp)


@dataclass(frozen=True)
class Fault:
    """What was found, the rows that have it (numbers), and what to do."""

    found: str
    rows: Rows = field(default_factory=_none)
    mend: str = ""


def row_ids(part: TrainData, rows: npt.NDArray[Any]) -> list[Any]:
    """Return what the rows of those numbers are called: their ids, or their numbers."""
    named: list[Any] = (rows if part.ids is None else part.ids[rows]).tolist()
    return named


def form(kind: Kind) -> str:
    """Return what the targets have to be, for people."""
    shape = ", ".join(["n", *map(str, kind.shape)]) + ("" if kind.shape else ",")
    said = f"{kind.dtype} ({shape})"
    if isinstance(kind, Values):
        return f"{said} of {kind.low:g}–{kind.high:g} {kind.unit}".rstrip() + ", varied"
    if isinstance(kind, Classes):
        return f"{said} of 0–{len(kind.names) - 1}, for an integer loss, varied"
    frame = kind.points if isinstance(kind, Joint) else kind
    said += f" in a frame of {frame.width} × {frame.height} px, varied"
    if isinstance(kind, Joint):
        said += f"; the last a class 0–{len(kind.classes.names) - 1}, or nan, varied"
    return said


def label_faults(spec: TrainingSpec, part: TrainData) -> Iterator[Fault]:
    """Yield what is wrong; what needs a sound form is not asked where that is wrong."""
    kind, targets = spec.targets, part.targets
    if _is_one_hot(_beyond_points(kind, targets)):
        yield Fault(f"{targets.dtype} {targets.shape} is one-hot", mend=INDICES)
        return
    if targets.dtype != kind.dtype or targets.shape[1:] != kind.shape:
        yield Fault(f"{targets.dtype} {targets.shape}")
        return
    if isinstance(spec.loss, INTEGER_LOSSES) and not isinstance(kind, Classes):
        name, stated = type(spec.loss).__name__, type(kind).__name__.lower()
        yield Fault(f"{targets.dtype} {targets.shape}: {name} takes classes, not {stated}")
        return
    for what, each, own in _each(kind, part):
        yield from _outside(each, own)
        if _is_constant(own.targets):
            yield Fault(f"{what} are all equal: nothing can be learned or scored")


def _each(kind: Kind, part: TrainData) -> list[tuple[str, Kind, TrainData]]:
    """Return what is judged for itself: points and classes of one network are two things."""
    if not isinstance(kind, Joint):
        return [("labels", kind, part)]
    return [
        ("points", kind.points, replace(part, targets=target_points(part.targets))),
        ("classes", kind.classes, replace(part, targets=part.targets[:, -1])),
    ]


def _beyond_points(kind: Kind, targets: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return what stands behind the points, where a class does; else all of it."""
    if isinstance(kind, Joint) and targets.ndim == 2:
        return targets[:, kind.points.outputs :]
    return targets


def _is_constant(targets: npt.NDArray[Any]) -> bool:
    """Whether every known number of a column is one and the same; nan is not known."""
    known = np.isfinite(targets)
    low, high = np.where(known, targets, np.inf), np.where(known, targets, -np.inf)
    return bool((high.max(axis=0) <= low.min(axis=0)).all())


def _is_one_hot(targets: npt.NDArray[Any]) -> bool:
    """One 1 in every row and zeros beside it: an integer loss reads that as something else."""
    if targets.ndim != 2 or targets.shape[1] < 2:
        return False
    ones = (targets == 1).sum(axis=1) == 1
    return bool(ones.all() and ((targets == 0).sum(axis=1) == targets.shape[1] - 1).all())


def _outside(kind: Kind, part: TrainData) -> Iterator[Fault]:
    targets = part.targets
    if isinstance(kind, Classes):
        # A class that is absent beside points is nan, as they are; alone it is an integer.
        known = ~np.isnan(targets)
        wrong = known & ((targets < 0) | (targets >= len(kind.names)))
        yield from _counted(wrong, f"outside 0–{len(kind.names) - 1}", FROM_0)
        yield from _counted(known & ~wrong & (targets % 1 != 0), "between two classes", INDICES)
        return
    absent = np.isnan(targets).all(axis=-1, keepdims=True) if _may_lack(kind) else False
    yield from _counted(~np.isfinite(targets) & ~np.asarray(absent), "not finite")
    if isinstance(kind, Values):
        wrong = (targets < kind.low) | (targets > kind.high)
        yield from _counted(wrong, f"outside {kind.low:g}–{kind.high:g} {kind.unit}".rstrip())
        return
    if isinstance(kind, Points):
        yield from _frame(kind, part)


def _may_lack(kind: Kind) -> bool:
    return isinstance(kind, Points) and kind.gaps


def _frame(kind: Points, part: TrainData) -> Iterator[Fault]:
    height, width = part.images.shape[-3:-1]
    if (width, height) != (kind.width, kind.height):
        yield Fault(f"frame {kind.width} × {kind.height} px, images {width} × {height} px")
    # Pixels are half a pixel wide to either side of their centres.
    wrong = (part.targets < -0.5) | (part.targets > np.array([kind.width, kind.height]) - 0.5)
    yield from _counted(wrong, f"outside the frame of {kind.width} × {kind.height} px")
    if np.nanmax(part.targets, initial=0) <= 1:
        yield Fault("points all lie within 1 px of the corner: shares of the frame, not px")


def _counted(wrong: npt.NDArray[np.bool_], what: str, mend: str = "") -> Iterator[Fault]:
    rows = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))
    if len(rows):
        yield Fault(f"has {len(rows)} rows {what}", rows, mend)
