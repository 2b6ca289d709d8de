"""The contract of labels and loss: what is wrong with a set's targets, fault by fault, with its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from torch import nn

from assay.learning.targets.faults import INDICES, Fault

if TYPE_CHECKING:
    from assay.learning.targets import Target
    from assay.learning.training_spec import TrainData, TrainingSpec


def takes_integers(loss: Callable[..., Any]) -> bool:
    """Return whether a loss of torch's takes class indices."""
    return isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss)


def row_ids(part: TrainData) -> npt.NDArray[Any]:
    """Return what the rows are called: their ids, or their numbers."""
    return np.arange(len(part.targets)) if part.ids is None else part.ids


def form(kind: Target) -> str:
    """Return what the targets have to be, for people."""
    shape = ", ".join(["n", *map(str, kind.shape)]) + ("" if kind.shape else ",")
    return f"{kind.dtype} ({shape}){kind.meaning}"


def label_faults(spec: TrainingSpec, part: TrainData) -> Iterator[Fault]:
    """Yield what is wrong; what needs a sound form is not asked where that is wrong."""
    kind, targets = spec.targets, part.targets
    said = f"{targets.dtype} {targets.shape}"
    fits = targets.dtype == kind.dtype and targets.shape[1:] == kind.shape
    if _is_one_hot(targets, whole=fits):
        yield Fault(f"{said} is one-hot", mend=INDICES)
        return
    if not fits:
        yield Fault(said)
        return
    if takes_integers(spec.loss) and np.issubdtype(targets.dtype, np.inexact):
        name, stated = type(spec.loss).__name__, type(kind).__name__.lower()
        mend = "TrainingSpec.loss or TrainingSpec.targets: they are of two kinds"
        yield Fault(f"{said}: {name} takes classes, not {stated}", mend=mend)
        return
    height, width = part.images.shape[-3:-1]
    yield from kind.faults(targets, (width, height))


def _is_one_hot(targets: npt.NDArray[Any], whole: bool) -> bool:
    """One 1 in every row and zeros beside it: an integer loss reads that as something else.

    Args:
        targets: (n, columns), or what is not one-hot.
        whole: ask of all columns; else of the last, however many: points may stand before them.
    """
    if targets.ndim != 2 or targets.shape[1] < 2:
        return False
    backwards = targets[:, ::-1]
    ones = ((backwards == 1).cumsum(axis=1) == 1).all(axis=0)
    binary = np.logical_and.accumulate(((backwards == 0) | (backwards == 1)).all(axis=0))
    return bool((ones & binary)[-1 if whole else 1 :].any())
