"""Segmentation: image and mask move together, the loss and the scores say what they should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.masks_set import made, rows_of
from torchmetrics.functional.classification import multiclass_jaccard_index

from assay.errors import GateError
from assay.gates.preflight import preflight
from assay.learning.training_spec import TrainData, TrainingSpec
from assay.lookup import find_task
from assay.manifest.rows import Rows
from assay.params import read_params
from assay.systems.pills.learning.segmentation_loss import SegmentationLoss
from assay.systems.pills.learning.segmentation_scores import map_scores
from assay.systems.pills.learning.segmentation_target import (
    MaskTarget,
    class_shares,
    judge_together,
)
from assay.systems.pills.learning.segmentation_views import Together
from assay.systems.pills.tasks.segmentation_masks import (
    letterbox_cells,
    majority_class,
    masks_of,
    spread,
)
from assay.systems.pills.tasks.segmentation_params import FINEST, cell
from assay.values import typed

ROOT = Path(__file__).parents[2]
TASK: Any = find_task("pills-segmentation")
NAMES = ("ground", "round", "long")
MOVES = Together(flip=0.5, rotation=15.0, scale=(0.9, 1.1), shift=0.05)
SQUARE = MaskTarget(NAMES, 96, 96, 2)


class ImageAlone:
    """The planted mistake: a flip that the mask does not make."""

    def __call__(self, images: torch.Tensor, masks: torch.Tensor) -> Any:
        moved, after = MOVES(images, masks)
        flipped = torch.rand(len(moved)) < 0.5
        return torch.where(flipped[:, None, None, None], moved.flip(2), moved), after


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder = tmp_path_factory.mktemp("segmentation")
    return rows_of(made(folder / "set", sessions=3), folder)


def learner(**train: Any) -> Any:
    content = read_params(ROOT / "params.yaml")
    content[TASK.name]["train"] |= train
    return TASK.learner(typed(content, TASK.name, TASK.params))


def planned(rows: Rows, together: Any = MOVES, **train: Any) -> tuple[TrainingSpec, TrainData]:
    ready, size = learner(**train).prepare(rows, rows), rows.image.shape[1]
    masks = MaskTarget(NAMES, size, size, 2)
    spec = replace(
        ready.spec, together=together, invariants=lambda: [judge_together(masks, together)]
    )
    return spec, ready.train


def test_the_plan_may_leave_out_the_last_batch(rows: Rows) -> None:
    plan, _ = planned(rows, drop_last=True)
    assert plan.drop_last


def test_a_mask_moves_with_its_image() -> None:
    torch.manual_seed(1)
    assert judge_together(SQUARE, MOVES).passed


def test_a_flip_of_the_image_alone_is_caught() -> None:
    torch.manual_seed(1)
    law = judge_together(SQUARE, ImageAlone())
    assert not law.passed
    assert "apart" in law.found


def test_the_preflight_refuses_a_flip_of_the_image_alone(rows: Rows, tmp_path: Path) -> None:
    plan, own = planned(rows, ImageAlone())
    with pytest.raises(GateError, match="mask follows image"):
        preflight(TASK.name, plan, own, own, tmp_path / "preflight.json")


def test_each_image_draws_for_itself_and_masks_keep_to_classes() -> None:
    torch.manual_seed(2)
    images = torch.randint(0, 256, (1, 32, 32, 3), dtype=torch.uint8).repeat(6, 1, 1, 1)
    masks = torch.randint(0, 3, (1, 32, 32), dtype=torch.uint8).repeat(6, 1, 1)
    moved, after = MOVES(images, masks)
    assert moved.dtype == after.dtype == torch.uint8
    assert len({image.numpy().tobytes() for image in moved}) == 6
    assert set(after.unique().tolist()) <= {0, 1, 2}  # nearest: nothing between two classes


def test_a_class_in_one_part_alone_is_a_fault() -> None:
    both = np.zeros((2, 8, 8), np.uint8)
    both[:, 0, 0], both[:, 1, 1] = 1, 2
    lacks = np.where(both == 2, 0, both)
    masks, ids = MaskTarget((*NAMES, "nowhere"), 8, 8, 2), np.arange(2)
    assert masks.coverage(both, both, ids)[0].passed
    [law] = masks.coverage(both, lacks, ids)
    assert not law.passed
    assert list(law.rows) == [{"part": "validation", "missing": "long"}]
    assert "nowhere" in law.found
    [beyond] = MaskTarget(NAMES[:2], 8, 8, 2).coverage(both, both, ids)
    assert not beyond.passed


def test_a_cell_is_shared_by_its_classes() -> None:
    mask = torch.tensor([[[0, 1], [1, 2]]], dtype=torch.uint8)
    assert class_shares(mask, 3, 2).flatten().tolist() == [0.25, 0.5, 0.25]
    assert majority_class(np.pad(mask.numpy(), ((0, 0), (0, 6), (0, 6))))[0, 0] == 1


def test_the_loss_is_torchs_cross_entropy_and_dice() -> None:
    random = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 3, 4, 4, generator=random)
    masks = torch.randint(0, 2, (2, 4, 4), generator=random)
    terms = SegmentationLoss().terms(logits, class_shares(masks, 3, 1))
    expected = torch.nn.functional.cross_entropy(logits, masks)
    assert torch.allclose(terms["cross_entropy"], expected)
    certain = 50.0 * class_shares(masks, 3, 1)  # a class that neither side has costs nothing
    perfect = SegmentationLoss().terms(certain, class_shares(masks, 3, 1))
    assert float(sum(perfect.values())) < 1e-6
    assert terms["dice"] > 0.1
    alone = SegmentationLoss(dice=0.0)(logits, class_shares(masks, 3, 1))
    assert torch.allclose(alone, expected)


def test_the_mean_iou_is_torchmetrics_and_absent_classes_do_not_count() -> None:
    random = np.random.default_rng(4)
    said, true = random.integers(0, 3, (2, 5, 40))
    expected = multiclass_jaccard_index(
        torch.from_numpy(said), torch.from_numpy(true), num_classes=3, average="macro"
    )
    found = map_scores(said.astype(np.float32), true.astype(np.float32))
    assert found["miou"] == pytest.approx(float(expected))
    assert found["pixel_accuracy"] == pytest.approx(float((said == true).mean()))
    apart = map_scores(2.0 * (said > 0), 2.0 * (true > 0))  # class 1 on neither side
    binary = multiclass_jaccard_index(
        torch.from_numpy((said > 0) * 1), torch.from_numpy((true > 0) * 1), 2, average="macro"
    )
    assert apart["miou"] == pytest.approx(float(binary))


def test_an_unsaid_cell_is_wrong_and_an_unknown_one_is_left_out() -> None:
    true = np.array([[0.0, 1.0, np.nan]])
    assert map_scores(np.array([[0.0, 1.0, 1.0]]), true)["miou"] == 1
    assert map_scores(np.array([[0.0, np.nan, 0.0]]), true)["pixel_accuracy"] == 0.5


def test_the_bars_are_not_scored(rows: Rows) -> None:
    labels = TASK.labels(rows)
    bars = letterbox_cells(rows, labels.shape[1])
    width, height = rows.columns["width"][0], rows.columns["height"][0]
    assert bars.mean() == pytest.approx(1 - width / height, abs=0.1)
    assert np.array_equal(np.isnan(labels), bars)
    everywhere = np.ones_like(labels)
    assert np.array_equal(np.isnan(learner().to_labels(everywhere, rows)), bars)


def test_maps_of_any_stride_are_scored_in_the_same_cells(rows: Rows) -> None:
    masks, labels = masks_of(rows), TASK.labels(rows)
    size = masks.shape[1]
    assert np.array_equal(spread(masks.reshape(len(masks), -1), size), masks)
    fine = learner().to_labels(masks.reshape(len(masks), -1).astype(np.float32), rows)
    assert np.array_equal(fine, labels, equal_nan=True)
    assert [cell(side) for side in (32, 96, 256, 320, 640)] == [2, 2, 2, 4, 8]
    assert all(side // cell(side) <= FINEST for side in (32, 256, 260, 512, 1024))
