"""Scores of both modes, end to end: from a stored photograph to the names of its drugs.

All drugs count: a drug that training lacked cannot be named, and is an error. Its share is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.learning.intervals import group_intervals
from assay.systems.pills.pipelines.combo_params import SINGLE
from assay.systems.pills.pipelines.matching import match
from assay.systems.pills.pipelines.reading import Boxes

if TYPE_CHECKING:
    from assay.contract.score import Score
    from assay.manifest.rows import Rows
    from assay.systems.pills.pipelines.combo_answers import Answers, Truth
    from assay.systems.pills.pipelines.combo_params import ComboParams
    from assay.systems.pills.pipelines.matching import PillMatches

Numbers = npt.NDArray[Any]
Count = npt.NDArray[np.float64]


def match_photographs(said: Answers, true: Truth, count: int, least: float) -> list[PillMatches]:
    """Match each of `count` photographs."""
    found = []
    for row in range(count):
        mine, own = said.found.row == row, true.boxes.row == row
        found.append(match(
            only(said.found, mine), said.drugs.number[mine], only(true.boxes, own),
            true.drugs[own], least,
        ))  # fmt: skip
    return found


def only(boxes: Boxes, mask: npt.NDArray[np.bool_]) -> Boxes:
    """Return the boxes under a mask."""
    return Boxes(*(part[mask] for part in boxes))


def photograph_counts(
    said: Answers, true: Truth, matches: list[PillMatches], rows: Rows
) -> dict[str, Count]:
    """Return what scores are made of, each (n,): a number a photograph."""
    count = len(matches)
    alone = rows.columns["mode"].astype(str) == SINGLE
    first = np.array([int(classes[0]) for classes in rows.columns["classes"]])
    names = [
        (Counter(said.drugs.number[said.found.row == row].tolist()),
         Counter(true.drugs[true.boxes.row == row].tolist()))
        for row in range(count)
    ]  # fmt: skip
    return {
        "right": np.array([float(each.right.sum()) for each in matches]),
        "placed": np.array([float(each.placed) for each in matches]),
        "found": np.bincount(said.found.row, minlength=count).astype(float),
        "true": np.bincount(true.boxes.row, minlength=count).astype(float),
        "named": np.bincount(
            true.boxes.row, said.placed.number == true.drugs, minlength=count
        ),
        "exact": np.array([float(own == labelled) for own, labelled in names]),
        "alone": alone.astype(float),
        "alone_right": (alone & (said.whole.number == first)).astype(float),
    }  # fmt: skip


def scored(counts: Mapping[str, Count]) -> dict[str, float]:
    """Return the metrics of photographs: `precision, recall, f1` of found and rightly named pills.

    `finding_…` asks for boxes alone, `naming_top1` names true boxes, `exact_list` is the share of
    photographs with exactly the drugs that are on it, and `single_top1` that of photographs of mode
    `single` that are named rightly as a whole.
    """
    right, placed, found, true, named, exact, alone, alone_right = (
        float(counts[name].sum()) for name in
        ("right", "placed", "found", "true", "named", "exact", "alone", "alone_right")
    )  # fmt: skip
    return {
        "precision": ratio(right, found), "recall": ratio(right, true),
        "f1": ratio(2 * right, found + true),
        "finding_precision": ratio(placed, found), "finding_recall": ratio(placed, true),
        "finding_f1": ratio(2 * placed, found + true),
        "naming_top1": ratio(named, true),
        "exact_list": ratio(exact, len(counts["exact"])),
        "single_top1": ratio(alone_right, alone) if alone else float("nan"),
    }  # fmt: skip


def ratio(part: float, whole: float) -> float:
    """Return part/whole; 0 where nothing was said, or nothing is there."""
    return part / whole if whole else 0.0


def with_intervals(
    headline: Score, counts: Mapping[str, Count], base: Mapping[str, Count], groups: Numbers,
    own: ComboParams,
) -> dict[str, Any]:  # fmt: skip
    """Return the content of a `metrics.json`: values, intervals by group, the baseline, the skill."""
    names = [*scored(counts), "skill"]

    def statistics(rows: npt.NDArray[np.int64]) -> list[float]:
        mine, trivial = (
            scored({name: each[rows] for name, each in part.items()}) for part in (counts, base)
        )
        skill = headline.skill(mine[headline.metric], trivial[headline.metric])
        return [*mine.values(), skill]

    how = own.evaluate
    values = statistics(np.arange(len(groups)))
    intervals = group_intervals(groups, statistics, how.n_resamples, how.confidence_level, how.seed)
    scores: dict[str, Any] = {
        name: {"value": value, "low": low, "high": high}
        for name, value, (low, high) in zip(names, values, intervals, strict=True)
    }
    return scores | {
        "baseline": scored(base), "groups": len(np.unique(groups)), "rows": len(groups)
    }  # fmt: skip
