"""Preflight of a detector: its photographs, its boxes, and what augmentation makes of both."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.contract.checks import Check
from assay.gates.verdict import Verdict
from assay.systems.pills.tasks import boxes
from assay.systems.pills.tasks.detector_data import data_set
from assay.systems.pills.tasks.detector_settings import settings
from assay.systems.pills.tasks.yolo import library

if TYPE_CHECKING:
    from assay.manifest.rows import Rows
    from assay.systems.pills.tasks.detector_run import DetectorRun

Numbers = npt.NDArray[Any]
TOLERANCE = 0.01  # px of the original
VIEWS = 16  # photographs that are augmented, twice each
SMALLEST = 2.0  # px of what the network sees: a pill below it is a speck


def detector_preflight(course: DetectorRun, train: Rows, valid: Rows, path: Path) -> None:
    """Judge what is to be learned, and write the verdict to `path`.

    Raises:
        GateError: a check failed; nothing was trained.
    """
    parts = {"train": train, "validation": valid}
    checks = [check_images(parts), check_boxes(parts), classes(course, parts)]
    if all(check.passed for check in checks):
        checks += [codec(parts), sizes(course, parts), most(course, parts), views(course)]
    Verdict("preflight", course.run.task, checks).write_and_raise(path)


def check_images(parts: dict[str, Rows]) -> Check:
    """Square uint8 images, one list of boxes each."""
    shapes = {name: tuple(rows.image.shape) for name, rows in parts.items()}
    fits = all(
        rows.image.dtype == np.uint8 and rows.image.ndim == 4 and rows.image.shape[3] == 3
        and rows.image.shape[1] == rows.image.shape[2]
        and len(rows.image) == len(rows.columns["boxes"]) > 0
        for rows in parts.values()
    )  # fmt: skip
    found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    return Check("images", fits, "uint8 (n, size, size, 3), none empty", found, _count(parts))


def check_boxes(parts: dict[str, Rows]) -> Check:
    """Finite boxes with an area, inside their photographs; x, y, w, h within 0–1 as shares."""
    wrong, count = [], 0
    for name, rows in parts.items():
        size = np.stack([rows.columns["width"], rows.columns["height"]], axis=1)
        for row, own in enumerate(boxes.pill_boxes(rows)):
            count += len(own)
            inside = (
                np.isfinite(own[:, :4]).all(axis=1) & (own[:, :2] >= 0).all(axis=1)
                & (own[:, 2:4] > 0).all(axis=1)
                & (own[:, :2] + own[:, 2:4] <= size[row]).all(axis=1)
            )  # fmt: skip
            wrong += [_told(rows, name, row, box) for box in own[~inside]]
    expected = "0 ≤ x, y; w, h > 0; inside the photograph; a box somewhere"
    return Check("boxes", not wrong and count > 0, expected, f"{len(wrong)} of {count} outside",
                 count, wrong, "dvc repro validate@pills" if wrong else "")  # fmt: skip


def classes(course: DetectorRun, parts: dict[str, Rows]) -> Check:
    """One class a box, a whole number from 0, known to the head."""
    wrong = [
        _told(rows, name, row, box)
        for name, rows in parts.items()
        for row, own in enumerate(boxes.pill_boxes(rows))
        for box in own[~((own[:, 5] >= 0) & (own[:, 5] % 1 == 0))]
    ]
    count = _pills(parts)
    found = f"{len(wrong)} of {count} have none"
    if course.ids is not None and not wrong:
        seen = {float(each) for own in boxes.pill_boxes(parts["train"]) for each in own[:, 5]}
        absent = [int(each) for each in course.ids if each not in seen]
        found += f"; {len(course.ids)} classes, {len(absent)} of them in validation alone {absent}"
    return Check("classes", not wrong, "an id of the class table for each box", found, count, wrong)


def codec(parts: dict[str, Rows]) -> Check:
    """Original px → stored px → original px changes nothing."""
    wrong = []
    for name, rows in parts.items():
        labels = boxes.padded(boxes.pill_boxes(rows))
        back = boxes.to_original(boxes.to_stored(labels, rows), rows)
        off = np.nan_to_num(np.abs(back - labels)).max(axis=1) > TOLERANCE
        wrong += [_told(rows, name, int(row), labels[row]) for row in np.flatnonzero(off)]
    expected = f"labels → stored px → labels changes nothing beyond {TOLERANCE} px"
    return Check("codec", not wrong, expected, f"{len(wrong)} of {_count(parts)} changed",
                 _count(parts), wrong)  # fmt: skip


def sizes(course: DetectorRun, parts: dict[str, Rows]) -> Check:
    """Pills large enough to be seen at the network's input."""
    side = course.params.model.imgsz
    least = min(
        (float(box[:, 2:].min()) * side for shown in (course.train, course.valid)
         for box in shown.boxes if len(box)), default=0.0,
    )  # fmt: skip
    mend = "raise pills.ingest.size and model.imgsz" if least < SMALLEST else ""
    return Check("sizes", least >= SMALLEST, f"{SMALLEST:g} px or more at {side} px",
                 f"the smallest side is {least:.1f} px", _pills(parts), (), mend)  # fmt: skip


def most(course: DetectorRun, parts: dict[str, Rows]) -> Check:
    """No photograph with more pills than boxes may be said of it."""
    allowed = course.params.model.max_det
    counts = [len(own) for rows in parts.values() for own in boxes.pill_boxes(rows)]
    found = f"{min(counts)} to {max(counts)} pills a photograph"
    mend = f"-S pills-detector.model.max_det={max(counts)}" if max(counts) > allowed else ""
    return Check("most", max(counts) <= allowed, f"at most {allowed}", found, len(counts), (), mend)


def views(course: DetectorRun) -> Check:
    """Augmented boxes are boxes, draws differ, and validation draws nothing."""
    how = course.params
    args = library().settings(overrides=settings(how.model, how.train, course.folder))
    ids, rows = len(course.names), min(len(course.train.images), VIEWS)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - ultralytics draws from it
    trained = data_set(course.train, args, ids, True)
    drawn = [trained[row] for row in range(rows) for _ in range(2)]
    plain = data_set(course.valid, args, ids, False)
    still = bool((plain[0]["img"] == plain[0]["img"]).all())
    boxes_left = np.concatenate([each["bboxes"].numpy().reshape(-1, 4) for each in drawn])
    low, high = boxes_left[:, :2] - boxes_left[:, 2:] / 2, boxes_left[:, :2] + boxes_left[:, 2:] / 2
    inside = bool((low > -1e-4).all() and (high < 1 + 1e-4).all() and (boxes_left[:, 2:] > 0).all())
    kinds = np.concatenate([each["cls"].numpy().ravel() for each in drawn])
    known = bool(((kinds >= 0) & (kinds < ids)).all())
    passed = inside and known and still and len(boxes_left) > 0
    found = f"{len(boxes_left)} boxes in {len(drawn)} augmented photographs"
    expected = "boxes inside, of known classes, after augmentation; none of it in validation"
    return Check("views", passed, expected, found, len(drawn))


def _count(parts: dict[str, Rows]) -> int:
    return sum(len(rows) for rows in parts.values())


def _pills(parts: dict[str, Rows]) -> int:
    return sum(len(own) for rows in parts.values() for own in boxes.pill_boxes(rows))


def _told(rows: Rows, part: str, row: int, box: Numbers) -> dict[str, Any]:
    return {"part": part, "row": str(rows.columns["sample_id"][row]), "box": box[:6].tolist()}
