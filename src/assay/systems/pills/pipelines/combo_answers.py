"""What both modes say of photographs, what a trivial predictor says, and what is true: a row each.

A row of predictions holds the found boxes, the surest first, seven numbers each: x, y, width, height (px
of the original), score, drug, its probability; nan where there is none. Behind them stands what the
photograph is named as a whole: drug, probability. A row of labels holds the true boxes as the detector's
labels do, and whether they are of one pill that was photographed alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from assay.systems.pills.pipelines import reading
from assay.systems.pills.pipelines.combo_params import SINGLE
from assay.systems.pills.tasks.detector import DETECTOR

if TYPE_CHECKING:
    from assay.contract.scored import Floats, Predictor
    from assay.manifest.rows import Rows
    from assay.pipeline import TrainedModel
    from assay.systems.pills.pipelines.combo_params import ComboParams
    from assay.systems.pills.pipelines.reading import Boxes, Identified

Numbers = npt.NDArray[Any]
FIELDS, WHOLE = 7, 2  # numbers of a found box, and of the photograph as a whole
TRUE_FIELDS = 6


class PhotographAnswer(NamedTuple):
    """What was said of one photograph.

    Attributes:
        place: (k, 4) boxes, the surest first.
        score: (k,).
        drug: (k,) class ids.
        chance: (k,) their probabilities.
        whole: class id of the photograph as a whole.
    """

    place: Numbers
    score: Numbers
    drug: Numbers
    chance: Numbers
    whole: int


class Truth(NamedTuple):
    """What is on one photograph: boxes (m, 4), the drug (m,) of each, and whether it is one alone."""

    place: Numbers
    drug: Numbers
    is_alone: bool


def predictor(models: Mapping[str, TrainedModel], own: ComboParams) -> Predictor:
    """Return both modes as a function of photographs."""
    detect, classify = reading.detector(models), reading.classifier(models)
    side, zoom = reading.cut_side(models), reading.cut_zoom(models)

    def predict(rows: Rows) -> Floats:
        found = reading.chosen(detect(rows), own.use)
        drugs = reading.name(classify, rows, found, side, own.use.padding, zoom)
        whole = reading.name_whole(classify, rows, side)
        return pack_answers(found, drugs, whole, own.use.max_det)

    return predict


def pack_answers(found: Boxes, drugs: Identified, whole: Identified, most: int) -> Floats:
    """Return (n, 7·most + 2) of boxes that stand photograph after photograph."""
    table = np.full((len(whole.number), most, FIELDS), np.nan, dtype=np.float32)
    place = np.arange(len(found.row)) - np.searchsorted(found.row, found.row)
    parts = (found.place, found.score, drugs.number, drugs.chance)
    table[found.row, place] = np.column_stack(parts)
    return np.column_stack([table.reshape(len(table), -1), *whole]).astype(np.float32)


def said_of(row: Numbers) -> PhotographAnswer:
    """Return what a row of predictions says."""
    boxes = row[:-WHOLE].reshape(-1, FIELDS).astype(np.float64)
    boxes = boxes[np.isfinite(boxes[:, 0])]
    drug = boxes[:, 5].astype(np.int64)
    return PhotographAnswer(boxes[:, :4], boxes[:, 4], drug, boxes[:, 6], int(row[-WHOLE]))


def label_rows(rows: Rows) -> Floats:
    """Return the labels, (n, 6·pills + 1)."""
    alone = rows.columns["mode"].astype(str) == SINGLE
    return np.column_stack([DETECTOR.labels(rows), alone]).astype(np.float32)


def true_of(row: Numbers) -> Truth:
    """Return what a row of labels says, in the order of the labels."""
    boxes = row[:-1].reshape(-1, TRUE_FIELDS).astype(np.float64)
    boxes = boxes[np.isfinite(boxes[:, 0])]
    return Truth(boxes[:, :4], boxes[:, 5].astype(np.int64), bool(row[-1]))


def baseline(train: Rows, rows: Rows) -> Floats:
    """Return what the tasks' trivial predictors say together: one mean box, the commonest drug."""
    named = np.concatenate([np.asarray(each, np.int64) for each in train.columns["classes"]])
    drug = np.full(len(rows), np.bincount(named).argmax())  # the lower id of equals
    sure = np.ones(len(rows))
    boxes = DETECTOR.baseline(train, rows)[:, :5]
    return np.column_stack([boxes, drug, sure, drug, sure]).astype(np.float32)


def code_names(rows: Rows) -> dict[int, str]:
    """Return the K-codes that rows name, by class id."""
    pairs = zip(rows.columns["classes"], rows.columns["codes"], strict=True)
    return {
        int(number): str(code)
        for ids, codes in pairs
        for number, code in zip(ids, codes, strict=True)
    }
