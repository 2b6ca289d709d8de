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
    from assay.systems.pills.tasks.classifier_params import ClassifierModel

Numbers = npt.NDArray[Any]


def pills(rows: Rows, params: ClassifierModel) -> Rows:
    """Return one row a pill, photograph by photograph, in the order of the labels.

    `sample_id` is `<photograph>#<k>`; `drug` (class id), `code` and `box` (x, y, w, h px of the upright
    original) are the pill's own; every column with one value a photograph is kept.
    """
    counts = np.array([len(ids) for ids in rows.columns["classes"]], dtype=np.int64)
    photograph = np.repeat(np.arange(len(rows)), counts)
    number = np.arange(len(photograph)) - np.repeat(counts.cumsum() - counts, counts)
    kept = {
        name: column[photograph] for name, column in rows.columns.items() if not _is_list(column)
    }
    boxes = np.concatenate([_boxes(each) for each in (*rows.columns["boxes"], [])])
    own = {
        "sample_id": _named(kept["sample_id"], number),
        "drug": _flat(rows.columns["classes"], np.int64),
        "code": _flat(rows.columns["codes"], object),
        "box": boxes,
    }
    backend = _backend(rows, photograph, boxes, counts, params)
    images = LazyImages(backend, np.arange(len(photograph)))
    return Rows({"image": cast("Any", images)}, {**kept, **own})


def _backend(
    rows: Rows, photograph: Numbers, boxes: Numbers, counts: Numbers, params: ClassifierModel
) -> CutBackend:
    """Cut pills by their boxes, padded; with `view: photograph` one that lies alone is shown whole."""
    width, height = (rows.columns[side].astype(np.float64) for side in ("width", "height"))
    side = rows.image.shape[1]
    own = stored_boxes(boxes, width[photograph], height[photograph], side)
    padding = np.full(len(own), params.padding)
    if params.view == "photograph":
        corner = np.zeros((len(rows), 2))
        whole = np.concatenate([corner, np.stack([width, height], axis=1)], axis=1)
        alone = counts[photograph] == 1
        own[alone] = stored_boxes(whole, width, height, side)[photograph[alone]]
        padding[alone] = 0
    return CutBackend(rows.image, photograph, own, params.size, padding, params.zoom)


def _named(photographs: Numbers, number: Numbers) -> Numbers:
    names = [f"{name}{CUT}{k}" for name, k in zip(photographs, number, strict=True)]
    return np.array(names, dtype=object)


def _is_list(column: Numbers) -> bool:
    return any(isinstance(each, np.ndarray | list) for each in column[:1])


def _flat(column: Numbers, dtype: Any) -> Numbers:
    return np.array([each for pills in column for each in pills], dtype=dtype)


def _boxes(of_photograph: Any) -> Numbers:
    boxes: Numbers = np.array([*of_photograph], dtype=np.float64).reshape(-1, 4)
    return boxes
