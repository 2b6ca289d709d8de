"""Scores of both modes, end to end: from a stored photograph to the names of its drugs.

All drugs count: a drug that training lacked cannot be named, and is an error. Its share is told.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.systems.pills.pipelines.combo_answers import said_of, true_of
from assay.systems.pills.pipelines.matching import match

if TYPE_CHECKING:
    from assay.systems.pills.pipelines.combo_answers import PhotographAnswer, Truth
    from assay.systems.pills.pipelines.matching import PillMatches

Numbers = npt.NDArray[Any]
LEAST = 0.5  # overlap with a true box from which a found one stands for its pill
# What the scores are made of, a number a photograph.
COUNTS = ("right", "placed", "found", "true", "exact", "alone", "alone_right", "photographs")


def matched(said: PhotographAnswer, true: Truth) -> PillMatches:
    """Match a photograph's pills."""
    return match(said.place, said.drug, true.place, true.drug, LEAST)


def photograph_counts(predictions: Numbers, labels: Numbers) -> npt.NDArray[np.float64]:
    """Return `COUNTS` of each photograph, (n, 8)."""
    rows = zip(predictions, labels, strict=True)
    found = [_counted(said_of(said), true_of(true)) for said, true in rows]
    return np.array(found, dtype=np.float64).reshape(-1, len(COUNTS))


def _counted(said: PhotographAnswer, true: Truth) -> tuple[float, ...]:
    matches = matched(said, true)
    is_exact = Counter(said.drug.tolist()) == Counter(true.drug.tolist())
    is_named = true.is_alone and said.whole == true.drug[0]
    return (
        matches.right.sum(), matches.placed, len(said.drug), len(true.drug),
        is_exact, true.is_alone, is_named, 1,
    )  # fmt: skip


def metrics_of(counted: Numbers) -> dict[str, float]:
    """Return the metrics of photographs: `precision, recall, f1` of found and rightly named pills.

    `finding_…` asks for boxes alone, `exact_list` is the share of photographs with exactly the drugs
    that are on it, and `single_top1` that of photographs of mode `single` that are named rightly as a
    whole.
    """
    right, placed, found, true, exact, alone, alone_right, photographs = counted.sum(
        axis=0
    ).tolist()
    return {
        "precision": ratio(right, found), "recall": ratio(right, true),
        "f1": ratio(2 * right, found + true),
        "finding_precision": ratio(placed, found), "finding_recall": ratio(placed, true),
        "finding_f1": ratio(2 * placed, found + true),
        "exact_list": ratio(exact, photographs),
        "single_top1": ratio(alone_right, alone) if alone else float("nan"),
    }  # fmt: skip


def ratio(part: float, whole: float) -> float:
    """Return part/whole; 0 where nothing was said, or nothing is there."""
    return part / whole if whole else 0.0
