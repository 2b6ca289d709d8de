"""Each mistake of augmentation and network, planted in a small real plan, and caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.plans import (
    IMAGES,
    RATE,
    SIZE,
    Head,
    Turn,
    classes,
    fusion,
    judge,
    part,
    points,
    values,
)
from torch import Tensor, nn

from assay.learning.determinism import reseed
from assay.learning.training_spec import ParamGroup
from assay.learning.transforms import Preprocess, normalise

pytestmark = pytest.mark.numeric

# Views


class OneDraw(Preprocess):
    """The whole batch is flipped, or none of it."""

    def __call__(self, images: Tensor, training: bool) -> Tensor:
        return normalise(images.flip(2) if training and torch.rand(1) < 0.5 else images)


class SameDraws(Preprocess):
    """Seeded anew in every batch."""

    def __call__(self, images: Tensor, training: bool) -> Tensor:
        torch.manual_seed(7)
        return super().__call__(images, training)


class NumpyDraws(Preprocess):
    """Drawn from a generator that no step seeds."""

    def __call__(self, images: Tensor, training: bool) -> Tensor:
        flips = torch.from_numpy(np.random.random(len(images)) < 0.5)  # noqa: NPY002
        return normalise(torch.where(flips[:, None, None, None] & training, images.flip(2), images))


class AlwaysDraws(Preprocess):
    """Augments validation too."""

    def __call__(self, images: Tensor, training: bool) -> Tensor:
        return super().__call__(images, True)


@pytest.mark.parametrize(
    ("preprocess", "found"),
    [
        (OneDraw, "all images of a batch get the same draw"),
        (SameDraws, "every batch gets the same draws"),
        (NumpyDraws, "equal seeds give different draws"),
        (AlwaysDraws, "validation's views differ"),
    ],
)
def test_wrong_draws_are_caught(preprocess: type[Preprocess], found: str) -> None:
    plan, rows = values()
    caught = judge(replace(plan, preprocess=preprocess(["hflip", "vflip"], SIZE)), rows)
    assert set(caught) == {"draws"}
    assert found in caught["draws"]["found"]


def test_a_plan_without_augmentation_passes() -> None:
    plan, rows = values()
    check = judge(replace(plan, preprocess=Preprocess((), SIZE)), rows, whole=True)["draws"]
    assert check["passed"]
    assert "no augmentation" in check["found"]


class Flickering(np.ndarray):
    """Stored images that are augmented as they are fetched, by a generator that workers inherit."""

    def __getitem__(self, index: Any) -> Any:
        fetched = np.asarray(super().__getitem__(index)).copy()
        noisy = isinstance(index, np.ndarray) and torch.utils.data.get_worker_info() is not None
        return fetched + np.random.randint(0, 2, fetched.shape).astype(np.uint8) * noisy  # noqa: NPY002


def test_workers_that_draw_are_caught() -> None:
    plan, rows = values()
    assert judge(plan, rows, whole=True, workers=2) == judge(plan, rows, whole=True)
    caught = judge(plan, replace(rows, images=IMAGES.view(Flickering)), workers=2)
    assert set(caught) == {"workers"}


class Unmoved(Turn):
    """Turns images and leaves their points behind."""

    def points(self, points: Tensor, moves: Tensor) -> Tensor:
        return points


class Reversed(Turn):
    """Turns the points the other way; its inverse is right."""

    def points(self, points: Tensor, moves: Tensor) -> Tensor:
        return super().points(points, -moves)


class Shifted(Turn):
    """Comes back half a pixel away."""

    def back(self, points: Tensor, moves: Tensor) -> Tensor:
        return super().back(points, moves) + 0.5


class Leaving(Turn):
    """Says nan of the first point, as of one that leaves the frame, in a plan without gaps."""

    def points(self, points: Tensor, moves: Tensor) -> Tensor:
        moved = super().points(points, moves)
        moved[:, 0] = torch.nan
        return moved


@pytest.mark.parametrize(
    ("geometry", "name"),
    [
        (Unmoved(), "points follow"),
        (Reversed(), "points follow"),
        (Shifted(), "inverse"),
        (Leaving(), "inverse"),
    ],
)
def test_points_that_leave_their_pixels_are_caught(geometry: Turn, name: str) -> None:
    plan, rows = points()
    assert name in judge(replace(plan, geometry=geometry), rows)


# Network


def test_a_layer_left_in_eval_mode_is_caught() -> None:
    plan, rows = values()
    plan.network[2].eval()
    assert judge(plan, rows)["modes"]["rows"] == ["2"]


def test_an_ordinal_head_has_one_output_less() -> None:
    plan, rows = classes()
    network = Head(2)
    plan = replace(plan, network=network, param_groups=[part("all", network)])
    assert set(judge(plan, rows)) == {"label shape"}
    assert judge(replace(plan, loss=ordinal), rows) == {}


def ordinal(logits: Tensor, targets: Tensor) -> Tensor:
    """CORAL: is the class above the first, above the second?"""
    above = (targets[:, None] > torch.arange(2)).float()
    return nn.functional.binary_cross_entropy_with_logits(logits, above)


def test_outputs_of_another_shape_are_caught() -> None:
    """(n, 2) against (n, 1) broadcasts, warns once, and trains both towards the label."""
    plan, rows = values()
    network = Head(2, start=12.0)
    check = judge(replace(plan, network=network, param_groups=[part("all", network)]), rows)
    assert "outputs (8, 2), labels (8, 1)" in check["label shape"]["found"]
    plan, rows = classes()
    network = Head(1)
    check = judge(replace(plan, network=network, param_groups=[part("all", network)]), rows)
    assert "outputs (8, 1), labels (8,)" in check["label shape"]["found"]


@pytest.mark.parametrize(
    ("loss", "found"),
    [
        (nn.SmoothL1Loss(reduction="none"), "shape (8, 1)"),
        (lambda o, t: (t - o).log().mean(), "nan"),
        (lambda o, t: nn.functional.l1_loss(o.detach(), t), "without a gradient"),
        (lambda o, t: nn.functional.cross_entropy(o, t[:, 0].long()), "IndexError: Target"),
    ],
)
def test_a_loss_that_is_no_number_is_caught(loss: Any, found: str) -> None:
    plan, rows = values()
    assert found in judge(replace(plan, loss=loss), rows)["first loss"]["found"]


class Detached(nn.Module):
    """A backbone behind a wall, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.head = Head(8), nn.Linear(8, 1)
        nn.init.constant_(self.head.bias, 12.0)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images).detach())


def test_a_part_that_no_gradient_reaches_is_caught() -> None:
    plan, rows = values()
    network = Detached()
    caught = judge(replace(plan, network=network, param_groups=[part("all", network)]), rows)
    assert set(caught) >= {"gradients"}
    assert all(name.startswith("backbone.") for name in caught["gradients"]["rows"])
    assert "2 of 8 tensors reached" in caught["gradients"]["found"]


def test_a_part_that_was_meant_to_learn_and_is_frozen_is_caught() -> None:
    plan, rows = values()
    plan.network[1].requires_grad_(False)
    assert judge(plan, rows)["gradients"]["rows"] == ["1.bias", "1.weight"]


def test_a_part_that_its_thaw_would_not_reach_is_caught() -> None:
    plan, rows = fusion()
    plan.network.second.register_forward_hook(lambda module, given, said: said.detach())
    caught = judge(plan, rows)["gradients"]["rows"]
    assert len(caught) == 6
    assert all(name.startswith("second.") for name in caught)


def test_a_norm_that_starts_at_0_is_no_wall() -> None:
    """As timm starts the last norm of a residual block: the first step reaches nothing behind it."""
    plan, rows = values()
    nn.init.zeros_(plan.network[5].weight)
    assert judge(plan, rows) == {}


def test_a_head_that_no_part_names_is_caught() -> None:
    plan, rows = values()
    parts = [ParamGroup("all", list(plan.network.parameters())[:-2], RATE, 1e-3)]
    assert judge(replace(plan, param_groups=parts), rows)["frozen"]["rows"] == [
        "5.bias",
        "5.weight",
    ]


@pytest.mark.parametrize("frozen", ["first", "second"])
def test_a_frozen_batch_norm_that_moves_is_caught(frozen: str) -> None:
    plan, rows = fusion()
    getattr(plan.network, frozen).train()
    assert judge(plan, rows)["frozen batch norm"]["rows"] == [f"{frozen}.2"]


class Blind(nn.Module):
    """Sees the middle of the batch, and no image."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Head(1, start=12.0)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(images.mean(dim=0, keepdim=True).expand_as(images) + 0)


def squashed() -> nn.Module:
    """Return a network that ends in a sigmoid, and cannot say 8 g/dL."""
    return nn.Sequential(Head(1), nn.Sigmoid())


@pytest.mark.parametrize("network", [Blind, squashed])
def test_a_network_that_cannot_learn_is_caught(network: Callable[[], nn.Module]) -> None:
    plan, rows = values()
    reseed(1)
    made = network()
    caught = judge(replace(plan, network=made, param_groups=[part("all", made)]), rows)
    assert "over-fit" in caught
    assert "in 299 steps" in caught["over-fit"]["found"]


@pytest.mark.parametrize(
    "loss", [lambda o, t: -(o - t).square().mean(), lambda o, t: (o - t).log().square().mean()]
)
def test_a_loss_that_has_no_lowest_value_is_caught(loss: Any) -> None:
    """Of the wrong sign; and a number for the first batch alone, whose labels are low."""
    plan, rows = values()
    assert "nothing is best" in judge(replace(plan, loss=loss), rows)["over-fit"]["found"]
