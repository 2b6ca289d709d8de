"""Mistakes of labels and data, planted in small real plans, and caught; and what preflight leaves."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.plans import (
    COUNT,
    HONEST,
    IMAGES,
    LEVELS,
    SIZE,
    SPOTS,
    Made,
    Turn,
    classes,
    fusion,
    joint,
    judge,
    points,
    values,
)
from torch import Tensor, nn

from assay.errors import GateError
from assay.gates import preflight_overfit
from assay.gates.preflight import preflight
from assay.learning.fit import fit
from assay.learning.targets import Classes, Points
from assay.learning.training_spec import TrainData
from assay.learning.vision.losses import JointLoss
from assay.runs.events import EventLog
from assay.runs.record import HISTORY, WEIGHTS
from assay.runs.run import Run
from assay.systems.hemoglobin.data.labels import PLAUSIBLE_HB
from assay.systems.hemoglobin.tasks.single import NAIL

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize("made", HONEST)
def test_an_honest_plan_passes(made: Callable[[], Made]) -> None:
    assert judge(*made()) == {}


def test_a_check_that_does_not_apply_is_not_listed() -> None:
    always = {"images", "labels", "codec", "draws", "modes", "label shape", "first loss"}
    always |= {"gradients", "over-fit"}
    assert set(judge(*values(), whole=True)) == always | {"coverage"}
    assert set(judge(*points(), whole=True)) == always | {"inverse", "points follow"}
    apart = {"over-fit points", "over-fit classes", "coverage", "coverage of classes"}
    assert set(judge(*joint(), whole=True)) == (always - {"over-fit"}) | apart | {
        "inverse", "points follow",
    }  # fmt: skip
    own = {"coverage", "frozen", "frozen batch norm"}
    assert set(judge(*fusion(), whole=True)) == always | own


def test_the_task_states_the_label_gates_range() -> None:
    assert NAIL.limits == PLAUSIBLE_HB


# Images and labels


def test_images_of_another_kind_are_caught() -> None:
    plan, rows = values()
    assert set(judge(plan, replace(rows, images=IMAGES.astype(np.float32)))) == {"images"}
    small = replace(rows, images=IMAGES[:, :8])
    assert "validation (24, 8, 16, 3)" in judge(plan, rows, small)["images"]["found"]


ONE_HOT = np.eye(3, dtype=np.float32)[np.arange(COUNT) % 3]


@pytest.mark.parametrize(
    ("made", "targets", "found"),
    [
        (values, LEVELS.astype(np.float32), "float32 (24,)"),  # torch would broadcast to n × n
        (values, np.ceil(LEVELS).astype(np.int64)[:, None], "int64 (24, 1)"),
        (values, ONE_HOT, "float32 (24, 3) is one-hot"),
        (values, np.full((COUNT, 1), 12, np.float32), "labels are all equal"),
        (classes, ONE_HOT, "float32 (24, 3) is one-hot"),  # taken by the loss as probabilities
        (classes, ONE_HOT.astype(np.int64), "int64 (24, 3) is one-hot"),
        (classes, np.arange(COUNT) % 3 + 1, "has 8 rows outside 0–2"),
        (classes, (np.arange(COUNT) % 3).astype(np.float32), "float32 (24,)"),
        (points, SPOTS.astype(np.float32) / SIZE, "shares of the frame, not px"),
        (points, SPOTS.astype(np.float32).reshape(COUNT, 4), "float32 (24, 4)"),
    ],
)
def test_labels_that_do_not_fit_the_loss_are_caught(
    made: Callable[[], Made], targets: np.ndarray, found: str
) -> None:
    plan, rows = made()
    caught = judge(plan, replace(rows, targets=targets))
    assert set(caught) == {"labels"}
    assert found in caught["labels"]["found"]


def test_grams_per_litre_and_gaps_are_named_row_by_row() -> None:
    plan, rows = values()
    targets = rows.targets.copy()
    targets[3], targets[5] = 112.0, np.nan
    check = judge(plan, rows, replace(rows, targets=targets))["labels"]
    assert "has 1 rows outside 2–25 g/dL" in check["found"]
    assert "has 1 rows not finite" in check["found"]
    assert {(row["part"], row["row"]) for row in check["rows"]} == {
        ("validation", "s3"),
        ("validation", "s5"),
    }


def test_an_integer_loss_for_values_is_caught() -> None:
    plan, rows = values()
    check = judge(replace(plan, loss=nn.CrossEntropyLoss()), rows)["labels"]
    assert "CrossEntropyLoss takes classes, not values" in check["found"]


def test_points_outside_the_frame_are_named() -> None:
    plan, rows = points()
    targets = rows.targets.copy()
    targets[7, 1, 0] = SIZE + 3
    check = judge(plan, replace(rows, targets=targets))["labels"]
    assert "has 1 rows outside the frame of 16 × 16 px" in check["found"]
    assert check["rows"][0]["row"] == "s7"


def test_points_of_another_frame_are_caught() -> None:
    plan, rows = points()
    check = judge(replace(plan, targets=Points(("S", "N"), 64, 64)), rows)["labels"]
    assert "frame 64 × 64 px, images 16 × 16 px" in check["found"]


def without_first(seen: slice) -> Made:
    """Return a plan whose points may be absent, and a set where the first is in the rows `seen`."""
    plan, rows = points()
    targets = rows.targets.copy()
    targets[seen, 0] = np.nan
    rows = replace(rows, targets=targets, labels=targets * 3)
    return replace(plan, targets=replace(plan.targets, gaps=True), loss=masked), rows


def masked(outputs: Tensor, targets: Tensor) -> Tensor:
    there = targets.isfinite()
    return nn.functional.smooth_l1_loss(outputs[there], targets[there])


def test_points_may_be_absent_where_the_plan_says_so() -> None:
    plan, rows = without_first(slice(0, 5))
    assert judge(plan, rows) == {}
    gapless = replace(plan, targets=replace(plan.targets, gaps=False))
    assert "has 5 rows not finite" in judge(gapless, rows)["labels"]["found"]
    plan, nowhere = without_first(slice(None))
    assert "without S in validation" in judge(plan, rows, nowhere)["coverage"]["found"]


def test_a_point_that_the_source_never_has_is_told_and_not_learned() -> None:
    plan, nowhere = without_first(slice(None))
    check = judge(plan, nowhere, nowhere, whole=True)["coverage"]
    assert check["passed"]
    assert "1 of 1 points in train" in check["found"]
    assert "nowhere, and not learned: S" in check["found"]
    # In one part alone it stays a fault, whichever part that is.
    _, rows = without_first(slice(0, 5))
    assert judge(plan, nowhere, rows)["coverage"]["rows"] == [{"part": "train", "missing": "S"}]


# Points and classes of one network


def changed(rows: TrainData, change: Callable[[np.ndarray], object]) -> TrainData:
    targets = rows.targets.copy()
    change(targets)
    return replace(rows, targets=targets)


def put(value: float, *where: object) -> Callable[[np.ndarray], object]:
    return lambda targets: targets.__setitem__(where, value)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (put(3.0, slice(None, None, 3), 4), "has 8 rows outside 0–2"),  # stages from 1 on
        (put(-1.0, 7, 4), "has 1 rows outside 0–2"),
        (put(0.5, 7, 4), "has 1 rows between two classes"),
        (put(SIZE + 3, 7, 2), "has 1 rows outside the frame"),
        (put(np.inf, 7, 2), "has 1 rows not finite"),
        (put(np.nan, 7, 2), "has 1 rows not finite"),  # an x without its y
        (put(1.0, slice(None), 4), "classes are all equal"),
        (put(np.nan, slice(None), slice(0, 4)), "points are all equal"),
    ],
)
def test_what_is_wrong_with_either_is_caught_in_both(
    change: Callable[[np.ndarray], object], found: str
) -> None:
    plan, rows = joint()
    check = judge(plan, changed(rows, change))
    assert set(check) == {"labels"}
    assert found in check["labels"]["found"]


def test_one_hot_stages_beside_points_are_caught() -> None:
    plan, rows = joint()
    targets = np.concatenate([rows.targets[:, :4], ONE_HOT], axis=1)
    check = judge(plan, replace(rows, targets=targets))["labels"]
    assert "float32 (24, 7) is one-hot" in check["found"]
    assert "one_hot.argmax" in check["mend"]
    without = judge(plan, replace(rows, targets=rows.targets[:, :4]))["labels"]
    assert "float32 (24, 4)" in without["found"]


def test_points_and_classes_are_led_back_each() -> None:
    plan, rows = joint()
    ceiled = changed(rows, lambda targets: np.ceil(targets, out=targets))
    assert set(judge(plan, ceiled)) == {"codec"}
    other = changed(rows, put(2.0, 1, 4))
    assert [row["row"] for row in judge(plan, other, rows)["codec"]["rows"]] == ["s1"]
    gone = changed(rows, put(np.nan, 1, 4))
    assert [row["row"] for row in judge(plan, gone, rows)["codec"]["rows"]] == ["s1"]


def test_a_stage_or_a_point_that_a_part_lacks_is_caught() -> None:
    plan, rows = joint()
    lacking = some(rows, rows.targets[:, 4] != 1)
    check = judge(plan, rows, replace(lacking, decode=rows.decode))
    assert check["coverage of classes"]["rows"] == [{"part": "validation", "missing": "CS2"}]
    assert rows.decode is not None
    pointless = changed(rows, put(np.nan, slice(None), slice(0, 2)))
    pointless = replace(pointless, labels=rows.decode(pointless.targets))
    check = judge(plan, rows, pointless)
    assert check["coverage"]["rows"] == [{"part": "validation", "missing": "S"}]


@dataclass(frozen=True)
class Deaf:
    """A joint loss of which one half is not heard."""

    loss: JointLoss
    points: bool

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        zero = torch.ones_like(outputs)
        zero[:, slice(0, 4) if self.points else slice(4, None)] = 0
        return self.loss(outputs * zero, targets)


@pytest.mark.parametrize(("points", "name"), [(True, "points"), (False, "classes")])
def test_half_a_network_that_does_not_learn_is_caught(points: bool, name: str) -> None:
    """Together the other half's loss would come down far enough, or hide what it costs."""
    plan, rows = joint()
    assert isinstance(plan.loss, JointLoss)
    check = judge(replace(plan, loss=Deaf(plan.loss, points)), rows)
    assert f"over-fit {name}" in check
    other = {"points", "classes"} - {name}
    assert f"over-fit {other.pop()}" not in check


def test_moves_that_do_not_fit_are_caught_beside_classes_too() -> None:
    class Backwards(Turn):
        def points(self, points: Tensor, moves: Tensor) -> Tensor:
            return super().points(points, -moves)

    plan, rows = joint()
    assert "points follow" in judge(replace(plan, geometry=Backwards()), rows)


# Codec


def test_rounded_targets_are_caught() -> None:
    plan, rows = values()
    check = judge(plan, replace(rows, targets=np.ceil(rows.targets)))["codec"]
    assert "e.g. s1: 8.3 became [9.0]" in check["found"].replace("[8.3]", "8.3")
    assert len(check["rows"]) > 30  # of 48, since some labels are whole already
    plan, rows = points()
    assert set(judge(plan, replace(rows, targets=np.ceil(rows.targets)))) == {"codec"}


def test_classes_in_another_order_are_caught() -> None:
    plan, rows = classes()
    shuffled = replace(plan, targets=Classes(("CS1", "CS3", "CS2")))
    assert "e.g. s1: CS2 became CS3" in judge(shuffled, rows)["codec"]["found"]


def test_points_that_another_transform_leads_back_are_caught() -> None:
    plan, rows = points()
    assert set(judge(plan, replace(rows, decode=lambda spots: spots * 3 + 0.5))) == {"codec"}


def test_targets_without_labels_beside_them_are_refused() -> None:
    plan, rows = values()
    assert "train has no labels" in judge(plan, replace(rows, labels=None))["codec"]["found"]


# Coverage


def some(rows: TrainData, chosen: np.ndarray) -> TrainData:
    assert rows.labels is not None
    assert rows.ids is not None
    return TrainData(
        rows.images[chosen], rows.targets[chosen], rows.labels[chosen], rows.ids[chosen]
    )


def test_a_class_that_validation_lacks_is_caught() -> None:
    plan, rows = classes()
    lacking = some(rows, rows.targets != 1)
    check = judge(plan, rows, lacking)["coverage"]
    assert check["rows"] == [{"part": "validation", "missing": "CS2"}]
    assert judge(plan, lacking, rows)["coverage"]["rows"] == [{"part": "train", "missing": "CS2"}]


def test_values_beyond_training_are_told_and_stop_only_where_nothing_overlaps() -> None:
    plan, rows = values()
    low, high = some(rows, LEVELS < 12), some(rows, LEVELS > 12)
    assert "12 of 12 validation rows" in judge(plan, low, high)["coverage"]["found"]
    check = judge(plan, low, rows, whole=True)["coverage"]
    assert check["passed"]
    assert check["rows"] == [f"s{number}" for number in range(12, COUNT)]


# What it leaves


def test_a_refusal_says_which_check_and_where_the_rows_are(tmp_path: Path) -> None:
    plan, rows = values()
    path = tmp_path / "preflight.json"
    with pytest.raises(GateError, match=r"codec: 20 of 48 changed[\s\S]*preflight.json"):
        preflight("toy", plan, replace(rows, targets=np.ceil(rows.targets)), rows, path)


def test_preflight_leaves_the_plan_as_it_was() -> None:
    plan, rows = fusion()
    before = copy.deepcopy(plan.network)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    assert judge(plan, rows) == {}
    assert torch.equal(state, torch.get_rng_state())
    for name, value in plan.network.state_dict().items():
        assert torch.equal(value, before.state_dict()[name])
    for own, other in zip(plan.network.parameters(), before.parameters(), strict=True):
        assert own.grad is None
        assert own.requires_grad == other.requires_grad
    modes = [module.training for module in plan.network.modules()]
    assert modes == [module.training for module in before.modules()]


@pytest.mark.parametrize("made", HONEST)
def test_a_training_has_the_same_bytes_with_and_without_it(
    made: Callable[[], Made], tmp_path: Path
) -> None:
    left = []
    for name, judged in (("with", True), ("without", False)):
        plan, rows = made()
        before = copy.deepcopy(plan.network.state_dict())
        folder = tmp_path / name
        folder.mkdir()
        run = Run("toy", folder, folder, folder, folder / "resume", EventLog(folder / "j"))
        if judged:
            preflight("toy", plan, rows, rows, folder / "preflight.json")
        fit(plan, rows, rows, run)
        left.append([(folder / file).read_bytes() for file in (WEIGHTS, HISTORY)])
        after = load_file(folder / WEIGHTS)
        assert any(not torch.equal(after[name], value) for name, value in before.items())
    assert left[0] == left[1]


def test_equal_plans_have_equal_verdicts(tmp_path: Path) -> None:
    """No clock stands in a verdict, and nothing is drawn from outside."""
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    for path in paths:
        preflight("toy", *values(), values()[1], path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_what_takes_long_is_told_beforehand(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a limit that nothing reaches, and one that everything does: no clock decides here."""
    monkeypatch.setattr(preflight_overfit, "LONG", math.inf)
    quick = judge(*values(), whole=True)
    assert "about" not in capsys.readouterr().out
    monkeypatch.setattr(preflight_overfit, "LONG", 0.0)
    assert judge(*values(), whole=True) == quick
    assert "4 images learned by heart on cpu: about" in capsys.readouterr().out
