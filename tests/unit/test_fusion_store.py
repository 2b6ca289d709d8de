"""The store of what frozen backbones said: never stale, never half, and shared to the byte."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.frozen_set import SIZE, VIEWS, images, make_backbone, named
from tests.fusion_set import fit_member, make_root, make_rows, member, section_of, store_all

from assay.learning.transforms import normalise
from assay.runs.places import FROZEN
from assay.runs.record import HISTORY, WEIGHTS
from assay.systems.hemoglobin.networks import frozen as module
from assay.systems.hemoglobin.networks.frozen import (
    BATCH,
    NAMES,
    PHOTOGRAPHS,
    Views,
    ask_backbone,
    digests_of,
    draw_views,
    frozen,
    known,
)  # fmt: skip
from assay.systems.hemoglobin.networks.fusion import FusionNetwork
from assay.systems.hemoglobin.networks.inputs import StoredViews
from assay.systems.hemoglobin.networks.parted import PartedBackbone
from assay.systems.hemoglobin.tasks import fusion_learner

OTHERS: dict[str, Any] = {
    "backbone": "test_resnet", "first": "seed 2", "unfreeze": 2, "augment": ("hflip",), "count": 4,
    "seed": 43, "threads": 2, "device": "cuda",
}  # fmt: skip


@pytest.fixture(scope="module")
def backbone() -> PartedBackbone:
    return make_backbone()


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
    backbone = make_backbone()
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
