"""What is stored of photographs: bits that depend on nothing else, and a store that is never stale."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from tests.fusion_set import fit_member, make_root, make_rows, member, section_of, store_all

from assay.learning.determinism import reseed, set_determinism
from assay.learning.transforms import augmentation, normalise
from assay.runs.places import FROZEN
from assay.runs.record import HISTORY, WEIGHTS
from assay.systems.hemoglobin.networks import frozen as module
from assay.systems.hemoglobin.networks.frozen import (
    BATCH,
    NAMES,
    PHOTOGRAPHS,
    Frozen,
    Views,
    ask_backbone,
    digests_of,
    draw_views,
    frozen,
    known,
    run_trunk,
    run_trunk_once,
)  # fmt: skip
from assay.systems.hemoglobin.networks.fusion import FusionNetwork
from assay.systems.hemoglobin.networks.inputs import StoredViews
from assay.systems.hemoglobin.networks.parted import PartedBackbone
from assay.systems.hemoglobin.tasks import fusion_learner

SIZE = 32
VIEWS = Views("test_byobnet", "seed 1", 1, ("hflip", "vflip", "crop", "tilt"), 3, 42, 1, "cpu")
OTHERS: dict[str, Any] = {
    "backbone": "test_resnet", "first": "seed 2", "unfreeze": 2, "augment": ("hflip",), "count": 4,
    "seed": 43, "threads": 2, "device": "cuda",
}  # fmt: skip


@pytest.fixture(scope="module")
def backbone() -> PartedBackbone:
    set_determinism(1)
    reseed(1)
    return PartedBackbone(timm.create_model(VIEWS.backbone, num_classes=0), 1).eval()


def images(count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def named(pixels: np.ndarray[Any, Any]) -> dict[str, Any]:
    return dict(zip(digests_of(pixels), pixels, strict=True))


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


# --- the store


@pytest.fixture
def kept(backbone: PartedBackbone, tmp_path: Path) -> Path:
    """Return the folder of a store of three photographs."""
    frozen(tmp_path, backbone, VIEWS, named(images(3)))
    return tmp_path / FROZEN / VIEWS.key(SIZE)


def content(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def spoil(path: Path, how: str) -> None:
    raw = path.read_bytes()
    if how == "cut":
        path.write_bytes(raw[: len(raw) // 2])
    elif how == "header":
        path.write_bytes(raw[:60])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "zeros":
        path.write_bytes(bytes(len(raw)))
    elif how == "gone":
        path.unlink()
    else:
        path.write_bytes(raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:])


@pytest.mark.parametrize("how", ["cut", "header", "empty", "zeros", "gone", "bit"])
@pytest.mark.parametrize("name", [*NAMES, PHOTOGRAPHS])
def test_a_damaged_store_is_made_anew(
    name: str, how: str, kept: Path, backbone: PartedBackbone
) -> None:
    """One bit of the numbers is seen where the driver looks, before the trainings."""
    whole = content(kept)
    [path] = [each for each in kept.iterdir() if each.name.startswith(name)]
    spoil(path, how)
    found = frozen(kept.parents[2], backbone, VIEWS, named(images(3)), is_checked=True)
    assert content(kept) == whole or (name, how) == (PHOTOGRAPHS, "bit")
    assert found.holds(digests_of(images(3)))
    assert np.array_equal(
        found.maps[found.slots(digests_of(images(3))), 0], ask_backbone(backbone, images(3))[0]
    )


@pytest.mark.parametrize("files", range(5))
def test_a_store_that_was_killed_half_way_is_none(
    files: int, tmp_path: Path, backbone: PartedBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException): ...

    write, left = module.atomic_write, [files]

    def killed(path: Path, fill: Any) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        write(path, fill)

    folder = tmp_path / FROZEN / VIEWS.key(SIZE)
    with monkeypatch.context() as planted:
        planted.setattr(module, "atomic_write", killed)
        planted.setattr(module, "write_json", lambda path, _: killed(path, None))
        with pytest.raises(Killed):
            frozen(tmp_path, backbone, VIEWS, named(images(3)))
    assert known(folder) is None
    frozen(tmp_path, backbone, VIEWS, named(images(3)))
    half = content(folder)
    shutil.rmtree(folder)
    frozen(tmp_path, backbone, VIEWS, named(images(3)))
    assert content(folder) == half


def test_a_list_of_other_photographs_never_meets_these_numbers(
    kept: Path, backbone: PartedBackbone
) -> None:
    """Who has read the list before another wrote the numbers anew has nothing, or the old ones."""
    old = (kept / PHOTOGRAPHS).read_bytes()
    frozen(kept.parents[2], backbone, VIEWS, named(images(3, seed=5)))
    assert known(kept)
    (kept / PHOTOGRAPHS).write_bytes(old)  # as a reader has it who came first
    assert known(kept) is None


def _store(root: Path, seed: int, report: Any) -> None:
    set_determinism(1)
    reseed(1)
    backbone = PartedBackbone(timm.create_model(VIEWS.backbone, num_classes=0), 1).eval()
    asked = module.ask_backbone
    module.ask_backbone = lambda *given: (report.put(os.getpid()), asked(*given))[1]
    found = frozen(root, backbone, VIEWS, named(images(6, seed)))
    report.put(found.maps.tobytes())


def test_two_processes_at_once_ask_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    report = context.Queue()
    both = [context.Process(target=_store, args=(tmp_path, 0, report)) for _ in range(2)]
    for each in both:
        each.start()
    told = [report.get(timeout=120) for _ in range(3)]
    for each in both:
        each.join(30)
    assert len([each for each in told if isinstance(each, int)]) == 1
    assert len({each for each in told if isinstance(each, bytes)}) == 1
    assert report.empty()


def test_only_training_rows_are_stored(tmp_path: Path) -> None:
    """And to ask a model of other photographs stores none of them."""
    from assay.contract.bundle import read_bundle
    from assay.systems.hemoglobin.tasks.fusion_member import MEMBER

    rows = make_rows()
    root = make_root(tmp_path / "root", rows)
    run = fit_member(root, root / "one", member(), rows)
    expected = {
        digest for images_of in rows.images.values() for digest in digests_of(np.asarray(images_of))
    }

    def listed() -> set[str]:
        every = (root / FROZEN).glob(f"*/{PHOTOGRAPHS}")
        return {one for each in every for one in json.loads(each.read_text())["photographs"]}

    assert listed() == expected
    sealed = make_rows(people=2, seed=9)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(root)
        assert len(MEMBER.predictor(read_bundle(run.folder), member())(sealed)) == len(sealed)
    assert listed() == expected


def test_the_grid_stores_each_backbone_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four configurations and two backbones; nothing where nothing is stored."""
    rows = make_rows()
    root = make_root(tmp_path / "root", rows)
    monkeypatch.chdir(root)
    asked, real = [], module.ask_backbone
    monkeypatch.setattr(
        module, "ask_backbone", lambda *given: asked.append(len(given[1])) or real(*given)
    )
    store_all(rows, section_of({"stored_views": 0}))
    assert asked == []
    for _ in range(2):
        store_all(rows, section_of())
    assert asked == [18 * 3, 18 * 3]


# --- shared, or not


class Unshared:
    """What `StoredViews` does, the plain way: trunks and tails are asked for each batch anew.

    Against the same views, each photograph in a batch of the one shape.
    """

    backbones: Any = ()
    photographs: Mapping[str, Any] = {}

    def __init__(self, stored: Any, network: FusionNetwork) -> None:
        self.stored, self.network = stored, network

    def __call__(self, rows: torch.Tensor, training: bool) -> tuple[torch.Tensor, ...]:
        count = self.stored[0].maps.shape[1]
        views = torch.randint(count, rows.shape) if training else torch.zeros_like(rows)
        inputs: list[torch.Tensor] = []
        for number, (kept, backbone) in enumerate(zip(self.stored, self.backbones, strict=True)):
            names = {row: name for name, row in kept.place.items()}
            with torch.random.fork_rng([]):  # what dropout draws behind it stays the same
                every = [list(draw_views(self.how(number), names[row], self.photographs[names[row]]))
                         for row in rows[:, number].tolist()]  # fmt: skip
            seen = [own[view] for own, view in zip(every, views[:, number].tolist(), strict=True)]
            inputs += self.said(backbone.parted, np.stack(seen))
        return tuple(inputs)

    def how(self, number: int) -> Views:
        return replace(VIEWS, backbone=self.backbones[number].name)

    def said(self, parted: PartedBackbone, seen: np.ndarray[Any, Any]) -> list[torch.Tensor]:
        parts: list[list[torch.Tensor]] = [[], [], []]
        with torch.no_grad():
            for one in seen:
                batch = np.zeros((BATCH, *one.shape), np.uint8)
                batch[0] = one
                maps, own = parted.trunk(normalise(torch.from_numpy(batch)))
                late, behind = parted.tail(maps.contiguous())
                whole = late if self.network.is_late else torch.cat([own, behind], 1)
                for part, each in zip(parts, (maps, own, whole), strict=True):
                    part.append(each[:1])
        maps, own, whole = (torch.cat(each) for each in parts)
        return [maps.contiguous(), own] if self.network.is_thawed else [whole]


@pytest.mark.numeric
@pytest.mark.parametrize("phase", [1, 2])
def test_shared_features_train_the_same_bytes_as_unshared_ones(
    phase: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over frozen epochs and thawed ones; so whatever is chosen by them is the same too."""
    rows = make_rows()
    root = make_root(tmp_path / "root", rows)
    short = {"epochs": 4, "frozen_epochs": 2, "head_warmup_epochs": 0, "batch_size": 12}
    train = {**short, "phase2": {**section_of()["train"]["phase2"], **short}}
    train["phase2"].pop("batch_size")
    params = member(phase, section=section_of(train))
    shared = fit_member(root, root / "shared", params, rows)
    real = fusion_learner.stored_of

    def noted(backbones: Any, how: Any, *parts: Any) -> Any:
        Unshared.backbones = backbones
        Unshared.photographs = {
            digest: np.asarray(image)
            for part in parts for view in part.images.values()
            for digest, image in zip(digests_of(view), view, strict=True)
        }  # fmt: skip
        return real(backbones, how, *parts)

    monkeypatch.setattr(fusion_learner, "stored_of", noted)
    monkeypatch.setattr(fusion_learner, "StoredViews", Unshared)
    unshared = fit_member(root, root / "unshared", params, rows)
    for name in (WEIGHTS, HISTORY):
        assert (shared.folder / name).read_bytes() == (unshared.folder / name).read_bytes()
    # Planted: view 0 in training too.
    monkeypatch.setattr(
        fusion_learner, "StoredViews", type("Plain", (StoredViews,), {"__call__": plain})
    )
    other = fit_member(root, root / "other", params, rows)
    assert (shared.folder / HISTORY).read_bytes() != (other.folder / HISTORY).read_bytes()


def plain(self: StoredViews, rows: torch.Tensor, training: bool) -> Any:
    return CALL(self, rows, False)


CALL = StoredViews.__call__
