"""A detector's training: checked, carried out by ultralytics' trainer, recorded."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.learning.determinism import set_determinism
from assay.runs.files import atomic_write
from assay.runs.record import VERDICT, WEIGHTS, write_history, write_record
from assay.systems.pills.tasks import boxes
from assay.systems.pills.tasks.detector_checks import detector_preflight
from assay.systems.pills.tasks.detector_data import Shown
from assay.systems.pills.tasks.detector_run import BEST, DetectorRun
from assay.systems.pills.tasks.detector_settings import settings
from assay.systems.pills.tasks.detector_trainer import DetectorTrainer, read_resume_state
from assay.systems.pills.tasks.yolo import library

if TYPE_CHECKING:
    from assay.contract.task import Task
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.systems.pills.tasks.detector_params import DetectorParams

Numbers = npt.NDArray[Any]


def run_training(task: Task, train: Rows, valid: Rows, params: DetectorParams, run: Run) -> None:
    """Check, train, and leave weights, history and record in `run.folder`.

    A killed training goes on from the last state in `run.resume`; the last epoch's weights lie there too.

    Raises:
        GateError: the labels cannot be learned as they stand.
        AssayError: ultralytics is not installed, or the loss is no number.
    """
    library()
    set_determinism(params.train.threads)
    run.resume.mkdir(parents=True, exist_ok=True)
    ids = class_ids(train, valid) if params.model.classes != "pill" else None
    course = DetectorRun(task, params, run, valid, shown(train, ids), shown(valid, ids), ids)
    detector_preflight(course, train, valid, run.reports / VERDICT)
    state = read_resume_state(run.resume)
    if state is not None:
        course.epochs = state["history"]
    if state is None or not state["ended"]:
        trainer = type("Yolo", (DetectorTrainer, library().Trainer), {})
        trainer(course, settings(params.model, params.train, run.resume)).train()
        set_determinism(params.train.threads)  # ultralytics leaves torch as it thinks it was
    write_history(run.folder, course.epochs)
    atomic_write(run.folder / WEIGHTS, lambda aside: shutil.copyfile(run.resume / BEST, aside))
    model = {"outputs": boxes.FIELDS * params.model.max_det, "first_weights": "none"}
    write_record(run, course.chosen(), model)


def class_ids(train: Rows, valid: Rows) -> Numbers:
    """Return the ids that the rows name, sorted; a pill without one is the preflight's to refuse."""
    named = np.concatenate(
        [each[:, 5] for rows in (train, valid) for each in boxes.pill_boxes(rows)]
    )
    return np.unique(named[np.isfinite(named)]).astype(np.int64)


def shown(rows: Rows, ids: Numbers | None) -> Shown:
    """Return the photographs with their boxes as shares of the stored square."""
    own = boxes.pill_boxes(rows)
    placed = boxes.to_stored(boxes.padded(own), rows).reshape(len(rows), -1, boxes.FIELDS)
    found, classes = [], []
    for box, true in zip(placed, own, strict=True):
        there = box[: len(true), :4] / rows.image.shape[1]
        found.append(np.concatenate([there[:, :2] + there[:, 2:] / 2, there[:, 2:]], axis=1))
        classes.append(np.zeros(len(true)) if ids is None else np.searchsorted(ids, true[:, 5]))
    return Shown(rows.image, found, classes)
