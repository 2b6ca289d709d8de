"""What is wrong with targets, and what a part of them lacks; the words that kinds share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from assay.contract.checks import Check

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.intp]

INDICES = "give class indices, int64 (n,): one_hot.argmax(axis=1)"


def _none() -> Rows:
    return np.empty(0, dtype=np.intp)


@dataclass(frozen=True)
class Fault:
    """What was found, the rows that have it (numbers), and what to do."""

    found: str
    rows: Rows = field(default_factory=_none)
    mend: str = ""


def count_faults(wrong: npt.NDArray[np.bool_], what: str, mend: str = "") -> Iterator[Fault]:
    """Yield a fault where any row has a wrong number."""
    rows = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))
    if len(rows):
        yield Fault(f"has {len(rows)} rows {what}", rows, mend)


def constant(targets: Array, what: str = "labels") -> Iterator[Fault]:
    """Yield a fault where every known number of each column is one and the same; nan is not known."""
    known = np.isfinite(targets)
    low, high = np.where(known, targets, np.inf), np.where(known, targets, -np.inf)
    if (high.max(axis=0) <= low.min(axis=0)).all():
        yield Fault(f"{what} are all equal: nothing can be learned or scored")


def seen_in_both(what: str, names: tuple[str, ...], there: Sequence[Array], count: int) -> Check:
    """Every name is needed in both parts: unseen it is not learned, untested it is not known."""
    rows = [
        {"part": part, "missing": name}
        for part, mask in zip(("train", "validation"), there, strict=True)
        for name, is_there in zip(names, mask, strict=True)
        if not is_there
    ]
    seen = [f"{int(mask.sum())} of {len(names)} {what}" for mask in there]
    found = f"{seen[0]} in train, {seen[1]} in validation"
    if rows:
        found += "; without " + ", ".join(f"{row['missing']} in {row['part']}" for row in rows[:5])
    expected = f"all {what} in train and in validation"
    mend = "fewer folds, another fold, or leave out what is too rare to be judged"
    return Check("coverage", not rows, expected, found, count, rows, mend if rows else "")
