"""Pills as rows: each cut by its true box from the stored photograph, when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from assay.contract.task_rows import CUT
from assay.manifest.records import LazyImages
from assay.manifest.rows import Rows
from assay.systems.pills.learning.cuts import CutBackend, stored_boxes

if TYPE_CHECKING:
    from assay.manifest.rows import Images
    from assay.systems.pills.tasks.classifier_params import ClassifierModel

Numbers = npt.NDArray[Any]


def pills(rows: Rows, params: ClassifierModel) -> Rows:
    """Return one row a pill, photograph by photograph, in the order of the labels.

    `sample_id` is `<photograph>#<k>`; `drug` (class id), `code` and `box` (x, y, w, h px of the upright
    original) are the pill's own; every column with one value a photograph is kept.
    """
    photograph, boxes = _placed(rows)
    number = np.arange(len(photograph)) - np.searchsorted(photograph, photograph)
    kept = {
        name: column[photograph] for name, column in rows.columns.items() if not _is_list(column)
    }
    own = {
        "sample_id": _named(kept["sample_id"], number),
        "drug": _flat(rows.columns["classes"], np.int64),
        "code": _flat(rows.columns["codes"], object),
        "box": boxes,
    }
    return Rows({"image": cuts(rows, params)}, {**kept, **own})


def cuts(rows: Rows, params: ClassifierModel) -> Images:
    """Return the images of `pills`, from photographs, their sizes and boxes alone.

    Each is cut by its box, padded; with `view: photograph` one that lies alone is shown whole.
    """
    photograph, boxes = _placed(rows)
    width, height = (rows.columns[side].astype(np.float64) for side in ("width", "height"))
    side = rows.image.shape[1]
    own = stored_boxes(boxes, width[photograph], height[photograph], side)
    padding = np.full(len(own), params.padding)
    if params.view == "photograph":
        corner = np.zeros((len(rows), 2))
        whole = np.concatenate([corner, np.stack([width, height], axis=1)], axis=1)
        alone = np.bincount(photograph, minlength=len(rows))[photograph] == 1
        own[alone] = stored_boxes(whole, width, height, side)[photograph[alone]]
        padding[alone] = 0
    backend = CutBackend(rows.image, photograph, own, params.size, padding, params.zoom)
    return cast("Images", LazyImages(backend, np.arange(len(photograph))))


def _placed(rows: Rows) -> tuple[npt.NDArray[np.int64], Numbers]:
    """Return which photograph each pill is on (pills,), and its box (pills, 4), px of the original.

    Boxes are a list a photograph; or, of a served model, one array (n, most, 4), nan behind the last.
    """
    column = rows.columns["boxes"]
    own = [np.array([*boxes], dtype=np.float64).reshape(-1, 4) for boxes in column]
    if column.ndim == 3:
        own = [boxes[~np.isnan(boxes).all(axis=1)] for boxes in own]
    counts = np.array([len(boxes) for boxes in own], dtype=np.int64)
    return np.repeat(np.arange(len(own)), counts), np.concatenate([np.empty((0, 4)), *own])


def _named(photographs: Numbers, number: Numbers) -> Numbers:
    names = [f"{name}{CUT}{k}" for name, k in zip(photographs, number, strict=True)]
    return np.array(names, dtype=object)


def _is_list(column: Numbers) -> bool:
    return any(isinstance(each, np.ndarray | list) for each in column[:1])


def _flat(column: Numbers, dtype: Any) -> Numbers:
    return np.array([each for pills in column for each in pills], dtype=dtype)
