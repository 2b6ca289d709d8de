"""What both modes say of photographs, what a trivial predictor says, and what is true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from assay.contract.task_rows import task_rows
from assay.lookup import find_task
from assay.systems.pills.learning.detection_scores import as_boxes
from assay.systems.pills.pipelines import reading
from assay.systems.pills.pipelines.combo_params import CLASSIFIER, DETECTOR
from assay.systems.pills.pipelines.reading import Identified

if TYPE_CHECKING:
    from assay.manifest.rows import Rows
    from assay.pipeline import TrainedModel
    from assay.systems.pills.pipelines.combo_params import ComboParams
    from assay.systems.pills.pipelines.reading import Boxes

Numbers = npt.NDArray[Any]


class Answers(NamedTuple):
    """What was said of photographs.

    Attributes:
        found: boxes.
        drugs: what they were named.
        placed: what the true boxes were named.
        whole: what the photographs were named, as a whole.
    """

    found: Boxes
    drugs: Identified
    placed: Identified
    whole: Identified


class Truth(NamedTuple):
    """What is on the photographs: boxes in the order of the labels, and the drug (p,) of each."""

    boxes: Boxes
    drugs: Numbers


def answers(models: Mapping[str, TrainedModel], rows: Rows, own: ComboParams) -> Answers:
    """Ask both modes about photographs, and the classifier about the true boxes."""
    detect, classify = (reading.predictor(task, models) for task in (DETECTOR, CLASSIFIER))
    side, padding, zoom = reading.cut_side(models), own.use.padding, reading.cut_zoom(models)
    found = reading.detect_pills(detect, rows, own.use)
    return Answers(
        found,
        reading.name(classify, rows, found, side, padding, zoom),
        reading.name(classify, rows, reading.true_boxes(rows), side, padding, zoom),
        reading.name_whole(classify, rows, side),
    )


def baseline(
    models: Mapping[str, TrainedModel], train: Rows, rows: Rows, own: ComboParams
) -> Answers:
    """Return what the tasks' trivial predictors say together: one mean box, the commonest drug."""
    boxes = find_task(DETECTOR).baseline(train, rows)
    found = reading.chosen(as_boxes(boxes), own.use)
    task = find_task(CLASSIFIER)
    pills = task_rows(task, train, models[CLASSIFIER].params)
    probabilities = task.baseline(pills, rows.where(np.arange(len(rows)) < 1))
    number = int(reading.drugs(probabilities).number[0])

    def same(count: int) -> Identified:
        return Identified(np.full(count, number), np.ones(count))

    true = sum(len(classes) for classes in rows.columns["classes"])
    return Answers(found, same(len(found.row)), same(true), same(len(rows)))


def truth(rows: Rows) -> Truth:
    """Return the labelled pills."""
    drugs = [number for classes in rows.columns["classes"] for number in classes]
    return Truth(reading.true_boxes(rows), np.array(drugs, dtype=np.int64))


def code_names(rows: Rows) -> dict[int, str]:
    """Return the K-codes that rows name, by class id."""
    pairs = zip(rows.columns["classes"], rows.columns["codes"], strict=True)
    return {
        int(number): str(code)
        for ids, codes in pairs
        for number, code in zip(ids, codes, strict=True)
    }
