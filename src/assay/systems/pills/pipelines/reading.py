"""How a photograph is read: boxes found, cut out of the stored photograph, each cut named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from assay.contract.combined import combined_predictor
from assay.learning.inference import predict_batches
from assay.manifest.records import LazyImages
from assay.manifest.rows import Rows
from assay.pipeline import Named
from assay.systems.pills.learning.cuts import CutBackend, stored_boxes
from assay.systems.pills.learning.detection_scores import as_boxes, overlaps
from assay.systems.pills.learning.scores import top1
from assay.systems.pills.pipelines.combo_params import CLASSIFIER, COMBO, DETECTOR
from assay.systems.pills.tasks import classifier as classifier_task
from assay.systems.pills.tasks import detector as detector_task

if TYPE_CHECKING:
    from assay.contract.scored import Floats, Predictor
    from assay.manifest.images import Opened
    from assay.pipeline import Reader, TrainedModel
    from assay.systems.pills.pipelines.combo_params import ComboUse

    Classify = Callable[[Any], Floats]

Numbers = npt.NDArray[Any]
LEAST = 1.0  # px of the original: a box that its photograph's edge leaves less of is none


class Boxes(NamedTuple):
    """Boxes on photographs, one photograph after the other, the surest first.

    Attributes:
        row: (p,) which photograph.
        place: (p, 4) x, y, width, height in px of the upright original.
        score: (p,).
    """

    row: npt.NDArray[np.int64]
    place: Numbers
    score: Numbers


class Identified(NamedTuple):
    """What cuts were named.

    Attributes:
        number: (p,) class ids.
        chance: (p,) their probabilities.
    """

    number: npt.NDArray[np.int64]
    chance: Numbers


def detector(models: Mapping[str, TrainedModel]) -> Predictor:
    """Return the trained detector as a function of photographs; of several folds there is none."""
    model = models[DETECTOR]
    return combined_predictor(detector_task.DETECTOR, model.bundle, model.params)


def classifier(models: Mapping[str, TrainedModel]) -> Classify:
    """Return the trained classifier as a function of cuts; of several folds their answers together."""
    model, task = models[CLASSIFIER], classifier_task.CLASSIFIER
    learner = task.learner(model.params)
    networks = [learner.load(own) for own in model.bundle.folds or [model.bundle]]

    def classify(cuts: Any) -> Floats:
        return task.combine([
            predict_batches(each, partial(learner.read, each), cuts, model.params.train)
            for each in networks
        ])  # fmt: skip

    return classify


def chosen(predictions: Numbers, use: ComboUse) -> Boxes:
    """Return the boxes of (n, 6k) that are sure enough; of overlapping ones the surest."""
    row, place, score = [], [np.empty((0, 4))], [np.empty(0)]
    for number, boxes in enumerate(as_boxes(predictions)):
        sure = (boxes[:, 4] >= use.conf) & (boxes[:, 2:4] >= LEAST).all(axis=1)  # nan is neither
        own = boxes[sure]
        own = own[np.argsort(-own[:, 4], kind="stable")]
        own = own[apart(own, use.iou)][: use.max_det]
        row += [number] * len(own)
        place.append(own[:, :4])
        score.append(own[:, 4])
    return Boxes(np.array(row, dtype=np.int64), np.concatenate(place), np.concatenate(score))


def apart(boxes: Numbers, most: float) -> list[int]:
    """Return which of the boxes (k, ≥4), the surest first, overlap none before them by more."""
    shares = overlaps(boxes[None], boxes[None])[0]
    kept: list[int] = []
    for number in range(len(boxes)):
        if not (shares[number, kept] > most).any():
            kept.append(number)
    return kept


def name(
    classify: Classify, rows: Rows, boxes: Boxes, side: int, padding: float, zoom: float = 1.0
) -> Identified:
    """Return what each box shows, padded and cut out of the stored photograph; see `cut_boxes`."""
    if not len(boxes.row):
        return Identified(np.empty(0, np.int64), np.empty(0))
    width, height = (rows.columns[each].astype(np.float64) for each in ("width", "height"))
    place = stored_boxes(boxes.place, width[boxes.row], height[boxes.row], rows.image.shape[1])
    around = np.full(len(place), padding)
    backend = CutBackend(rows.image, boxes.row, place, side, around, zoom)
    cuts = LazyImages(backend, np.arange(len(place)))
    return drugs(classify(cuts))


def name_whole(classify: Classify, rows: Rows, side: int) -> Identified:
    """Return what each photograph shows, as a whole."""
    size = np.stack([rows.columns["width"], rows.columns["height"]], axis=1).astype(np.float64)
    place = np.concatenate([np.zeros_like(size), size], axis=1)
    whole = Boxes(np.arange(len(rows)), place, np.ones(len(rows)))
    return name(classify, rows, whole, side, 0.0)


def drugs(probabilities: Numbers) -> Identified:
    """Return the likeliest drug of each row of probabilities (p, C)."""
    number = top1(probabilities)
    return Identified(number, probabilities[np.arange(len(number)), number])


def cut_side(models: Mapping[str, TrainedModel]) -> int:
    """Return the side of the cuts that the classifier is handed, px."""
    return int(models[CLASSIFIER].params.model.size)


def cut_zoom(models: Mapping[str, TrainedModel]) -> float:
    """Return how far the classifier's cuts are zoomed; see `scale_of`."""
    return float(models[CLASSIFIER].params.model.zoom)


def codes(models: Mapping[str, TrainedModel]) -> dict[int, str]:
    """Return the K-codes by class id that the classifier was trained with."""
    told = models[CLASSIFIER].bundle.record["classes"]["class_to_idx"]
    return {int(number): str(code) for code, number in told.items()}


def trained(models: Mapping[str, TrainedModel]) -> set[int]:
    """Return the class ids that the classifier saw in training: it can name no other."""
    told = models[CLASSIFIER].bundle.record["classes"]
    return {told["class_to_idx"][code] for code, count in told["train_counts"].items() if count}


def make_reader(mode: str, models: Mapping[str, TrainedModel], use: ComboUse, root: Path) -> Reader:
    """Return what reads one opened photograph; `single` has no detector, and asks none."""
    from assay.systems.pills.pipelines.names import drug_names

    classify = classifier(models)
    side, zoom = cut_side(models), cut_zoom(models)
    code, words = codes(models), drug_names(root)
    detect = detector(models) if mode == COMBO else None

    def read(opened: Opened) -> list[Named]:
        assert opened.pixels is not None
        size = {"width": np.array([opened.width]), "height": np.array([opened.height])}
        rows = Rows(
            {"image": opened.pixels[None].copy()}, size
        )  # Pillow's pixels cannot be written to
        if detect is None:
            told = name_whole(classify, rows, side)
            return [
                Named(code[number], words.get(number, ""), float(chance))
                for number, chance in zip(told.number.tolist(), told.chance, strict=True)
            ]
        boxes = chosen(detect(rows), use)
        told = name(classify, rows, boxes, side, use.padding, zoom)
        x, y, wide, high = boxes.place.T.tolist()
        return [
            Named(code[number], words.get(number, ""), float(chance), box, float(score))
            for number, chance, box, score in zip(
                told.number.tolist(), told.chance, zip(x, y, wide, high, strict=True),
                boxes.score, strict=True,
            )
        ]  # fmt: skip

    return read
