"""What is stored of photographs: bits that depend on nothing else, and a store that is never stale."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.frozen_set import SIZE, VIEWS, images, make_backbone, named
from tests.fusion_set import make_root, make_rows, section_of, store_all

from assay.learning.determinism import reseed
from assay.learning.transforms import augmentation
from assay.runs.places import FROZEN
from assay.systems.hemoglobin.networks import frozen as module
from assay.systems.hemoglobin.networks.frozen import (
    BATCH,
    NAMES,
    Frozen,
    Views,
    ask_backbone,
    digests_of,
    draw_views,
    frozen,
    run_trunk,
    run_trunk_once,
)  # fmt: skip
from assay.systems.hemoglobin.networks.inputs import StoredViews
from assay.systems.hemoglobin.networks.parted import PartedBackbone

OTHERS: dict[str, Any] = {
    "backbone": "test_resnet", "first": "seed 2", "unfreeze": 2, "augment": ("hflip",), "count": 4,
    "seed": 43, "threads": 2, "device": "cuda",
}  # fmt: skip


@pytest.fixture(scope="module")
def backbone() -> PartedBackbone:
    return make_backbone()


# --- bits


@pytest.mark.numeric
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_features_bits_do_not_depend_on_neighbours_order_and_number(
    backbone: PartedBackbone, seed: int
) -> None:
    pixels = images(2 * BATCH + 5, seed)
    whole = ask_backbone(backbone, pixels)
    order = np.random.default_rng(seed).permutation(len(pixels))
    for chosen in (order, order[:1], order[:BATCH], order[: BATCH + 1], order[-3:]):
        for all_of, some in zip(whole, ask_backbone(backbone, pixels[chosen]), strict=True):
            assert np.array_equal(all_of[chosen], some)
    maps, own = run_trunk(backbone, torch.from_numpy(pixels[order[:7]]))
    assert np.array_equal(maps.numpy(), whole[0][order[:7]])
    assert np.array_equal(own.numpy(), whole[1][order[:7]])
    twice = np.concatenate([order[:5], order[:5], order[2:3]])
    assert np.array_equal(
        run_trunk_once(backbone, torch.from_numpy(pixels[twice]))[0], whole[0][twice]
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_stored_does_not_depend_on_the_other_photographs(
    backbone: PartedBackbone, seed: int, tmp_path: Path
) -> None:
    pixels = images(9, seed)
    every = frozen(tmp_path / "all", backbone, VIEWS, named(pixels))
    for chosen in ([4], [8, 0, 3], [7, 6, 5, 4, 3, 2, 1, 0]):
        some = frozen(tmp_path / str(len(chosen)), backbone, VIEWS, named(pixels[chosen]))
        digests = digests_of(pixels[chosen])
        for name in NAMES:
            found = getattr(some, name)[some.slots(digests)]
            assert np.array_equal(found, getattr(every, name)[every.slots(digests)])


# --- views


def test_view_0_is_the_photograph_and_the_others_are_of_seed_photograph_and_number() -> None:
    one, other = images(2)
    digests = digests_of(np.stack([one, other]))
    seen = [each.copy() for each in draw_views(VIEWS, digests[0], one)]
    assert len(seen) == VIEWS.count
    assert np.array_equal(seen[0], one)
    list(draw_views(VIEWS, digests[1], other))  # something else was drawn between
    torch.rand(3)
    again = list(draw_views(replace(VIEWS, count=9), digests[0], one))
    assert all(np.array_equal(old, new) for old, new in zip(seen, again, strict=False))
    for number in (1, 2):
        reseed(VIEWS.seed, int(digests[0][:8], 16), number)
        augment = augmentation(VIEWS.augment, SIZE)
        plain = augment(torch.from_numpy(one.copy()).permute(2, 0, 1)).permute(1, 2, 0).numpy()
        assert np.array_equal(seen[number], plain)
        assert not np.array_equal(seen[number], one)
    assert not np.array_equal(seen[1], seen[2])
    assert not np.array_equal(
        list(draw_views(replace(VIEWS, seed=43), digests[0], one))[1], seen[1]
    )
    assert not np.array_equal(list(draw_views(VIEWS, digests[1], one))[1], seen[1])


def stored(count: int, views: int) -> Frozen:
    """Return numbers that say their row and view."""
    number = 100.0 * np.arange(count)[:, None] + np.arange(views)
    flat, maps = number[..., None], number[..., None, None, None]
    place = {str(row): row for row in range(count)}
    return Frozen(
        place, *(each.astype(np.float32) for each in (maps, flat, flat + 0.25, flat + 0.5))
    )


class Told:
    """A network of which it is told whether it learns."""

    is_thawed, is_late = False, True


@pytest.mark.parametrize("is_thawed", [False, True])
@pytest.mark.parametrize("is_late", [False, True])
def test_validation_sees_view_0_alone_and_training_draws_for_each_photograph(
    is_thawed: bool, is_late: bool
) -> None:
    network: Any = Told()
    network.is_thawed, network.is_late = is_thawed, is_late
    fed = StoredViews([stored(6, 4), stored(6, 4)], network)
    rows = torch.tensor([[0, 5], [3, 3], [5, 1]])
    step = 2 if is_thawed else 1
    more = 0.0 if is_thawed else 0.25 if is_late else 0.5
    for _ in range(3):
        found = fed(rows, training=False)
        assert len(found) == 2 * step
        for number, each in enumerate(found[::step]):
            assert (each.flatten() - more).tolist() == (100.0 * rows[:, number]).tolist()
    drawn_views = []
    for epoch in range(40):
        reseed(1, epoch)
        found = fed(rows, training=True)
        both = torch.stack([each.flatten() for each in found[::step]], 1) - more
        assert torch.equal(torch.div(both, 100, rounding_mode="floor"), rows.float())
        drawn_views.append(both % 100)
    views = torch.stack(drawn_views)  # (epochs, rows, nail and conjunctiva)
    assert set(views.flatten().tolist()) == {0, 1, 2, 3}
    assert (views[..., 0] != views[..., 1]).any()  # of a pair each its own
    assert (views[:, 0] != views[:, 1]).any()  # of a batch each row its own


# --- the key


def test_whatever_changes_numbers_is_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [VIEWS.key(SIZE), VIEWS.key(64)]
    assert set(OTHERS) == {each.name for each in fields(Views)}
    keys += [replace(VIEWS, **{name: value}).key(SIZE) for name, value in OTHERS.items()]
    with monkeypatch.context() as planted:
        planted.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "another")
        keys.append(VIEWS.key(SIZE))
    with monkeypatch.context() as planted:
        planted.setattr(torch.cuda, "is_available", lambda: True)
        planted.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
        assert VIEWS.key(SIZE) == keys[0]
        keys.append(replace(VIEWS, device="cuda").key(SIZE))
    for library in ("torch", "torchvision", "timm"):
        with monkeypatch.context() as planted:
            planted.setattr(getattr(module, library), "__version__", "0.0")
            keys.append(VIEWS.key(SIZE))
    for code in (module, module.transforms, module.determinism, module.parted):
        with monkeypatch.context() as planted:
            changed = tmp_path / "code.py"
            changed.write_text(f"{Path(str(code.__file__)).read_text()}# changed\n")
            planted.setattr(code, "__file__", str(changed))
            module._code.cache_clear()
            keys.append(VIEWS.key(SIZE))
    module._code.cache_clear()
    assert len(set(keys)) == len(keys)
    assert VIEWS.key(SIZE) == keys[0]


def test_another_seed_or_part_that_thaws_is_stored_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the sections; how a training is done otherwise is none of the store's business."""
    root, rows = make_root(tmp_path / "root"), make_rows()
    monkeypatch.chdir(root)
    changed = [section_of({"seed": 7}), section_of(unfreeze=2), section_of({"augment": []})]
    for count, section in enumerate([section_of(), *changed], 1):
        for more in ({}, {"epochs": 3, "head_lr": 1e-4, "batch_size": 7}):
            store_all(rows, {**section, "train": {**section["train"], **more}})
        assert len(list((root / FROZEN).iterdir())) == 2 * count
