"""Scores of both modes, end to end: from a stored photograph to the names of its drugs.

All drugs count: a drug that training lacked cannot be named, and is an error. Its share is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from assay.contract.task_rows import task_rows
from assay.learning.intervals import group_intervals
from assay.learning.pills.detection_scores import parted
from assay.lookup import find_task
from assay.systems.pills.compositions import reading
from assay.systems.pills.compositions.combo_sections import CLASSIFIER, DETECTOR, SINGLE
from assay.systems.pills.compositions.matching import match
from assay.systems.pills.compositions.reading import Boxes, Drugs

if TYPE_CHECKING:
    from assay.composition import Model
    from assay.contract.score import Score
    from assay.manifest.rows import Rows
    from assay.systems.pills.compositions.combo_sections import ComboParams
    from assay.systems.pills.compositions.matching import Match

Numbers = npt.NDArray[Any]
Count = npt.NDArray[np.float64]


class Answers(NamedTuple):
    """What was said of photographs.

    Attributes:
        found: boxes.
        drugs: what they were named.
        placed: what the true boxes were named.
        whole: what the photographs were named, as a whole.
    """

    found: Boxes
    drugs: Drugs
    placed: Drugs
    whole: Drugs


class Truth(NamedTuple):
    """What is on the photographs: boxes in the order of the labels, and the drug (p,) of each."""

    boxes: Boxes
    drugs: Numbers


def evaluate(
    headline: Score,
    models: Mapping[str, Model],
    train: Rows,
    valid: Rows,
    own: ComboParams,
    folder: Path,
) -> dict[str, Any]:
    """Return every metric with its interval by group; write what was said, line by line and drawn."""
    from assay.systems.pills.compositions import combo_picture, combo_table

    true, least = truth(valid), own.evaluate.match_iou
    said, trivial = answers(models, valid, own), baseline(models, train, valid, own)
    matches = matched(said, true, len(valid), least)
    counts = counted(said, true, matches, valid)
    base = counted(trivial, true, matched(trivial, true, len(valid), least), valid)
    known = np.isin(true.drugs, list(reading.trained(models)))
    code = reading.codes(models) | code_names(train) | code_names(valid)
    table = combo_table.lines(said, true, matches, valid, code)
    combo_table.write(folder / "predictions.csv", table)
    combo_picture.draw(counts, table, valid, folder / "pictures")
    scores = with_intervals(headline, counts, base, valid.columns["group_id"], own)
    return scores | {
        "pills": len(true.drugs), "single_rows": int(counts["alone"].sum()),
        "unseen_share": float(1 - known.mean()) if len(known) else float("nan"),
    }  # fmt: skip


def answers(models: Mapping[str, Model], rows: Rows, own: ComboParams) -> Answers:
    """Ask both modes about photographs, and the classifier about the true boxes."""
    detect, classify = (reading.predictor(task, models) for task in (DETECTOR, CLASSIFIER))
    side, padding, zoom = reading.cut_side(models), own.use.padding, reading.cut_zoom(models)
    found = reading.find(detect, rows, own.use)
    return Answers(
        found,
        reading.name(classify, rows, found, side, padding, zoom),
        reading.name(classify, rows, reading.true_boxes(rows), side, padding, zoom),
        reading.name_whole(classify, rows, side),
    )


def baseline(models: Mapping[str, Model], train: Rows, rows: Rows, own: ComboParams) -> Answers:
    """Return what the tasks' trivial predictors say together: one mean box, the commonest drug."""
    boxes = find_task(DETECTOR).baseline(train, rows)
    found = reading.chosen(parted(boxes), own.use)
    task = find_task(CLASSIFIER)
    pills = task_rows(task, train, models[CLASSIFIER].params)
    probabilities = task.baseline(pills, rows.where(np.arange(len(rows)) < 1))
    number = int(reading.drugs(probabilities).number[0])

    def same(count: int) -> Drugs:
        return Drugs(np.full(count, number), np.ones(count))

    true = sum(len(classes) for classes in rows.columns["classes"])
    return Answers(found, same(len(found.row)), same(true), same(len(rows)))


def truth(rows: Rows) -> Truth:
    """Return the labelled pills."""
    drugs = [number for classes in rows.columns["classes"] for number in classes]
    return Truth(reading.true_boxes(rows), np.array(drugs, dtype=np.int64))


def matched(said: Answers, true: Truth, count: int, least: float) -> list[Match]:
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


def counted(said: Answers, true: Truth, matches: list[Match], rows: Rows) -> dict[str, Count]:
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
        "precision": share(right, found), "recall": share(right, true),
        "f1": share(2 * right, found + true),
        "finding_precision": share(placed, found), "finding_recall": share(placed, true),
        "finding_f1": share(2 * placed, found + true),
        "naming_top1": share(named, true),
        "exact_list": share(exact, len(counts["exact"])),
        "single_top1": share(alone_right, alone) if alone else float("nan"),
    }  # fmt: skip


def share(part: float, whole: float) -> float:
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


def code_names(rows: Rows) -> dict[int, str]:
    """Return the K-codes that rows name, by class id."""
    pairs = zip(rows.columns["classes"], rows.columns["codes"], strict=True)
    return {
        int(number): str(code)
        for ids, codes in pairs
        for number, code in zip(ids, codes, strict=True)
    }
