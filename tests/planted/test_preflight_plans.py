"""A kind of targets that the gates do not know; and what a plan's own functions raise, field by field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.plans import (
    COUNT,
    IDS,
    IMAGES,
    Head,
    Made,
    Turn,
    classes,
    judge,
    make,
    part,
    points,
    values,
)
from torch import Tensor, nn

from assay.contract.checks import Check
from assay.errors import GateError, SourceError
from assay.gates.preflight import preflight
from assay.learning.determinism import reseed
from assay.learning.targets import Target
from assay.learning.targets.faults import Fault, constant, count_faults
from assay.learning.training_spec import TrainData

pytestmark = pytest.mark.numeric

# A fifth kind: a direction, which the gates have never heard of


@dataclass(frozen=True)
class Angle(Target):
    """Degrees, float32 (n,), of which the network says the cosine and the sine."""

    dtype = "float32"
    tolerance = " beyond 0.001°"
    shape = ()
    outputs = 2
    meaning = " of 0–360°, varied"

    def changed(self, labels: np.ndarray, decoded: np.ndarray) -> np.ndarray:
        return abs((decoded - labels + 180) % 360 - 180) > 1e-3

    def faults(self, targets: np.ndarray, size: tuple[int, int]) -> Iterator[Fault]:
        wrong = (targets < 0) | (targets >= 360)
        yield from count_faults(wrong, "outside 0–360°", "angle % 360")
        yield from constant(targets)

    def coverage(self, train: np.ndarray, valid: np.ndarray, ids: np.ndarray) -> list[Check]:
        beyond = (valid // 90)[:, None] != train[None] // 90
        rows = ids[beyond.all(axis=1)].tolist()
        return [Check("quadrants", not rows, "those of train", f"{len(rows)} new", len(ids), rows)]

    def for_loss(self, targets: Tensor) -> Tensor:
        return torch.stack([targets.deg2rad().cos(), targets.deg2rad().sin()], dim=1)


DEGREES = np.linspace(0, 350, COUNT)


def angles() -> Made:
    reseed(1)
    spec = make(Head(2), Angle(), nn.MSELoss())
    return spec, TrainData(IMAGES, DEGREES.astype(np.float32), DEGREES, IDS)


def test_a_foreign_kind_passes() -> None:
    whole = judge(*angles(), whole=True)
    assert all(check["passed"] for check in whole.values())
    assert list(whole)[:4] == ["images", "labels", "codec", "quadrants"]
    assert whole["labels"]["expected"] == "float32 (n,) of 0–360°, varied"
    assert whole["codec"]["expected"].endswith("changes nothing beyond 0.001°")
    assert whole["label shape"]["found"] == "outputs (8, 2), labels (8, 2)"


def test_a_foreign_kind_is_asked_what_is_wrong() -> None:
    plan, rows = angles()
    radians = replace(rows, targets=np.deg2rad(DEGREES).astype(np.float32))
    assert set(judge(plan, radians)) == {"codec"}
    beyond = judge(plan, replace(rows, targets=rows.targets + 30), rows)["labels"]
    assert "train has 2 rows outside 0–360°" in beyond["found"]
    assert beyond["mend"].startswith("angle % 360")
    assert [row["row"] for row in beyond["rows"]] == ["s22", "s23"]
    some = rows.targets < 90
    few = TrainData(IMAGES[some], rows.targets[some], DEGREES[some], IDS[some])
    assert len(judge(plan, few, rows)["quadrants"]["rows"]) == COUNT - int(some.sum())
    three = Head(3)
    assert set(judge(replace(plan, network=three), rows)) >= {"label shape"}
    turned = replace(rows, labels=DEGREES + 360)
    assert judge(plan, turned) == {}  # the same direction


def test_integers_are_no_matter_for_a_foreign_kind() -> None:
    plan, rows = angles()
    found = judge(replace(plan, loss=nn.CrossEntropyLoss()), rows)["labels"]
    assert "CrossEntropyLoss takes classes, not angle" in found["found"]
    assert "TrainingSpec.loss" in found["mend"]


# STOPs that say what to mend


def test_labels_that_stay_names_are_told_with_the_field() -> None:
    """Five classes of dots: the labels are numbers in the manifest, the classes have names."""
    plan, rows = classes()
    check = judge(plan, replace(rows, labels=rows.targets))["codec"]
    assert "e.g. s0: 0 became CS1" in check["found"]
    assert "train labels int64 (24,)" in check["found"]
    assert "TrainingSpec.targets (Classes.decode) gives <U3 (24,)" in check["found"]
    assert "TrainData.decode" in check["mend"]
    own = replace(rows, decode=lambda targets: targets[:, None].repeat(2, axis=1))
    check = judge(plan, own)["codec"]
    assert "TrainData.decode gives int64 (24, 2)" in check["found"]
    assert "TrainData.labels" in check["mend"]


def test_names_that_no_value_can_be_held_against_are_told_with_the_field() -> None:
    plan, rows = values()
    check = judge(plan, replace(rows, labels=np.array(["much"] * COUNT)))["codec"]
    assert "TrainData.labels" in check["found"]
    assert "<U4 (24,)" in check["found"]


def test_images_and_labels_name_their_fields() -> None:
    plan, rows = values()
    check = judge(plan, replace(rows, targets=rows.targets[:5]))["images"]
    assert "targets train 5" in check["found"]
    assert "TrainData.targets" in check["mend"]
    check = judge(plan, replace(rows, targets=rows.targets.astype(np.float64)))["labels"]
    assert "TrainData.targets, or TrainingSpec.targets, which says Values" in check["mend"]


# What a plan's own functions raise


def broken(*_: Any, **__: Any) -> Any:
    return tuple(IDS.tolist())[COUNT]


class Asleep(Head):
    """A network that cannot say anything in eval mode."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) if self.training else broken()


class Torn(Turn):
    """A geometry that does not return."""

    images = points = broken


def awake() -> Made:
    plan, rows = values()
    network = Asleep(1, start=12.0)
    return replace(plan, network=network, param_groups=[part("all", network)]), rows


def torn() -> Made:
    plan, rows = points()
    return replace(plan, geometry=Torn()), rows


def changed(**fields: Any) -> Callable[[], Made]:
    def made() -> Made:
        plan, rows = classes()
        return replace(plan, **fields), rows

    return made


def undecoded() -> Made:
    plan, rows = values()
    return plan, replace(rows, decode=broken)


def of_four(outputs: Tensor, targets: Tensor) -> Tensor:
    """A loss that takes any batch but one of four rows."""
    return broken() if len(targets) == 4 else nn.functional.cross_entropy(outputs, targets)


@pytest.mark.parametrize(
    ("made", "check", "field"),
    [
        (undecoded, "codec", "TrainData.decode"),
        (changed(invariants=broken), "invariants", "TrainingSpec.invariants"),
        (changed(preprocess=broken), "draws", "TrainingSpec.preprocess"),
        (torn, "draws", "TrainingSpec.geometry or preprocess"),
        (changed(loss=broken), "first loss", "TrainingSpec.loss"),
        (awake, "validation", "TrainingSpec.network"),
        (changed(loss_terms=broken), "validation", "TrainingSpec.loss_terms"),
        (changed(decode=broken), "validation", "TrainingSpec.decode"),
        (changed(metrics=broken), "validation", "TrainingSpec.metrics"),
        (changed(rank=broken), "validation", "TrainingSpec.rank"),
        (changed(loss=of_four), "over-fit", "TrainingSpec.network or loss"),
    ],
)
def test_what_a_plan_raises_is_told_with_its_field_and_line(
    made: Callable[[], Made], check: str, field: str
) -> None:
    caught = judge(*made())
    assert set(caught) == {check}
    found = caught[check]["found"]
    assert found.startswith(f"{field}")
    assert re.search(
        r" raised IndexError: tuple index out of range \(test_preflight_\w+\.py:\d+\)", found
    )
    assert field in caught[check]["mend"]


def accuracy(predictions: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Expect logits (n, classes, 1), as another network says them."""
    return {"accuracy": float((predictions.argmax(axis=2)[:, 0] == targets).mean())}


def test_metrics_of_another_shape_are_told_with_the_shapes() -> None:
    plan, rows = classes()
    found = judge(replace(plan, metrics=accuracy), rows)["validation"]["found"]
    assert "TrainingSpec.metrics of predictions (24, 3), targets (24,) raised AxisError" in found


def test_a_rank_by_a_metric_that_is_not_there_is_told_with_those_that_are() -> None:
    plan, rows = classes()
    lost = replace(plan, rank=lambda row: (row["accuracy"],))
    found = judge(lost, rows)["validation"]["found"]
    assert "rank of epoch, train_loss, valid_loss, mae raised KeyError: 'accuracy'" in found


def test_a_validation_that_is_no_number_is_told() -> None:
    plan, rows = classes()
    nothing = judge(replace(plan, metrics=lambda said, true: None), rows)["validation"]["found"]
    assert "TrainingSpec.metrics" in nothing
    unsorted = judge(replace(plan, rank=lambda row: 1 + 2j), rows)["validation"]["found"]
    assert "TrainingSpec.rank" in unsorted


def test_metrics_get_as_many_predictions_as_there_are_validation_rows() -> None:
    """A plan may hold them against labels of its own, in the order of the rows; targets are whole."""
    plan, rows = classes()
    seen = []

    def noted(predictions: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        seen.append((predictions.shape, targets))
        return {"mae": 0.0}

    assert COUNT % plan.config.batch_size == 0
    valid = TrainData(IMAGES[:-1], rows.targets[:-1], rows.labels[:-1], IDS[:-1])
    assert judge(replace(plan, metrics=noted), rows, valid) == {}
    [(shape, targets)] = seen
    assert shape == (COUNT - 1, 3)
    assert np.array_equal(targets, valid.targets)


def test_a_refusal_has_no_traceback_of_the_plan(tmp_path: Path) -> None:
    plan, rows = classes()
    with pytest.raises(GateError, match=r"validation: TrainingSpec.rank") as caught:
        preflight("toy", replace(plan, rank=broken), rows, rows, tmp_path / "preflight.json")
    assert "Traceback" not in caught.value.render()
    assert "mend TrainingSpec.rank" in caught.value.render()
    assert caught.value.__cause__ is None


def test_what_is_said_in_assays_own_words_stays_as_it_is(tmp_path: Path) -> None:
    """A file that cannot be read is no fault of the plan; nor is a GPU that is too small."""

    def gone(*_: Any) -> Any:
        raise SourceError("a.png", "cannot be read")

    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError

    plan, rows = classes()
    for own, kind in ((gone, SourceError), (full, torch.OutOfMemoryError)):
        with pytest.raises(kind):
            preflight("toy", replace(plan, metrics=own), rows, rows, tmp_path / "preflight.json")
