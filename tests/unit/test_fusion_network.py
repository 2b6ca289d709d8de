"""The fusion networks against a plain re-computation; what of age and gender reaches them, and how."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file
from tests.fusion_set import fit_member, make_root, make_rows, member
from torch import Tensor, nn

from assay.contract.bundle import read_bundle
from assay.learning.determinism import reseed, set_determinism
from assay.learning.transforms import normalise
from assay.manifest.parts import validation_fold
from assay.manifest.rows import Rows
from assay.runs.record import WEIGHTS
from assay.systems.hemoglobin.networks.fusion import FusionNetwork
from assay.systems.hemoglobin.networks.inputs import FreshViews
from assay.systems.hemoglobin.networks.parted import PartedBackbone
from assay.systems.hemoglobin.tasks.fusion_member import MEMBER

WIDTH, HIDDEN, NAMES = 8, [12, 6], ("test_resnet", "test_byobnet")
COVARIATES = torch.tensor([[20.0, 0.0], [50.0, 1.0], [65.0, 1.0]])


@pytest.fixture(scope="module")
def networks() -> list[nn.Module]:
    """Return two whole networks of timm, on which those of the fusion stand."""
    set_determinism(1)
    reseed(3)
    found = [timm.create_model(name, num_classes=0).eval() for name in NAMES]
    for network in found:  # statistics that say something
        for each in network.modules():
            if isinstance(each, nn.BatchNorm2d):
                each.running_mean.normal_(0, 0.3)
                each.running_var.uniform_(0.5, 2)
    return found


def fused(
    networks: list[nn.Module], phase: int, demographics: bool, unfreeze: int = 1
) -> tuple[FusionNetwork, list[PartedBackbone]]:
    parted = [PartedBackbone(each, unfreeze).eval() for each in networks]
    reseed(5)
    network = FusionNetwork(parted, 0 if phase == 1 else WIDTH, demographics, HIDDEN, 0.3).eval()
    network.fit_age(torch.tensor([30.0, 50.0, 70.0]))
    return network, parted


def pixels(count: int = 3, seed: int = 0) -> Tensor:
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.integers(0, 256, (count, 2, 32, 32, 3), dtype=np.uint8))


def plainly(
    networks: list[nn.Module], network: FusionNetwork, images: Tensor, fed: Tensor | None
) -> Tensor:
    """Return what the specification says, of timm's own features, without parts and stores."""
    joined: list[Tensor] = []
    for number, whole in enumerate(networks):
        seen = normalise(images[:, number])
        if network.is_late:
            joined.append(whole(seen))
            continue
        kept: list[Tensor] = []
        hooks = [
            whole.get_submodule(each["module"]).register_forward_hook(
                lambda _module, _given, said, kept=kept: kept.append(said)
            )
            for each in whole.feature_info[-4:]
        ]
        whole(seen)
        for hook in hooks:
            hook.remove()
        layers = network.head.levels[number]
        joined += [layer(one.flatten(2).mean(2)) for layer, one in zip(layers, kept, strict=True)]
    if fed is not None:
        deviation = (((30.0 - 50) ** 2 + (70.0 - 50) ** 2) / 3) ** 0.5
        joined += [((fed[:, 0] - 50.0) / deviation)[:, None], fed[:, 1:]]
    said = torch.cat(joined, 1)
    layers = [each for each in network.head.regression if isinstance(each, nn.Linear)]
    for layer in layers[:-1]:
        said = (said @ layer.weight.T + layer.bias).clamp(min=0)
    return said @ layers[-1].weight.T + layers[-1].bias


def asked(
    network: FusionNetwork, parted: list[PartedBackbone], images: Tensor, fed: Tensor | None
) -> Tensor:
    inputs = FreshViews(parted, (), 32)(images, training=False)
    return network((*inputs, *([] if fed is None else [fed])))


@pytest.mark.parametrize("unfreeze", [1, 2])
@pytest.mark.parametrize("demographics", [True, False])
@pytest.mark.parametrize("phase", [1, 2])
def test_a_network_says_what_the_specification_says(
    phase: int, demographics: bool, unfreeze: int, networks: list[nn.Module]
) -> None:
    """Phase 1: D_n + D_c (+ 2) numbers into the head; phase 2: 4 × width of each (+ 2)."""
    network, parted = fused(networks, phase, demographics, unfreeze)
    fed = COVARIATES if demographics else None
    images = pixels()
    with torch.no_grad():
        found, expected = (
            asked(network, parted, images, fed), plainly(networks, network, images, fed)
        )  # fmt: skip
    assert found.shape == (3, 1)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)
    widths = [each.num_features for each in networks] if phase == 1 else [4 * WIDTH, 4 * WIDTH]
    assert network.head.regression[0].in_features == sum(widths) + 2 * demographics


def test_a_view_counts_in_its_own_place(networks: list[nn.Module]) -> None:
    network, parted = fused(networks, 1, demographics=False)
    images = pixels()
    with torch.no_grad():
        said = asked(network, parted, images, None)
        assert not torch.allclose(said, asked(network, parted, images.flip(1), None))


# --- age and gender


def patients(counts: list[int], ages: list[float]) -> Rows:
    """Return so many pairs of each patient; 0 of fold 0, others of fold 1."""
    rows = make_rows(people=len(counts), folds=2)
    chosen = np.concatenate([
        np.flatnonzero(rows.columns["group_id"] == f"p{person:02d}")[:count]
        for person, count in enumerate(counts)
    ])  # fmt: skip
    found = rows.where(chosen)
    place = np.array([int(str(each)[1:]) for each in found.columns["group_id"]])
    columns = {**found.columns, "age": np.array(ages)[place], "fold": (place > 0).astype(int)}
    return Rows({view: each[:] for view, each in found.images.items()}, columns)


def fitted(
    rows: Rows, tmp_path: Path, monkeypatch: Any, demographics: bool = True
) -> FusionNetwork:
    monkeypatch.chdir(make_root(tmp_path / "root", rows))
    train, valid = validation_fold(rows, 0)
    network: Any = MEMBER.learner(member(demographics=demographics)).prepare_with(
        train, valid, is_stored=False
    ).spec.network  # fmt: skip
    return network


def test_age_is_fitted_on_the_training_patients_one_value_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The patient of four pairs counts as the one of one; the one who validates does not count."""
    network = fitted(patients([4, 4, 1, 2], [90, 20, 50, 65]), tmp_path, monkeypatch)
    mean, deviation = network.age.tolist()
    assert mean == pytest.approx(np.mean([20, 50, 65]))
    assert deviation == pytest.approx(np.std([20, 50, 65]))
    by_row, with_valid = np.mean([20] * 4 + [50] + [65] * 2), np.mean([90, 20, 50, 65])
    assert mean not in (pytest.approx(by_row), pytest.approx(with_valid))
    assert "age" in network.state_dict()
    assert "age" not in dict(network.named_parameters())


def test_one_age_of_all_is_no_division_by_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = fitted(patients([4, 4, 4], [80, 33, 33]), tmp_path, monkeypatch)
    assert network.age.tolist() == [33.0, 1.0]
    said = network._demographics(torch.tensor([[33.0, 1.0], [80.0, 0.0]]))
    assert said.tolist() == [[0.0, 1.0], [47.0, 0.0]]


def test_gender_is_handed_on_as_it_is(networks: list[nn.Module]) -> None:
    network, _ = fused(networks, 1, demographics=True)
    assert network._demographics(COVARIATES)[:, 1].tolist() == [0.0, 1.0, 1.0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Return the folders of a training with demographics, and of one without."""
    root, rows = make_root(tmp_path_factory.mktemp("network") / "root"), make_rows()
    return {
        has: fit_member(root, root / str(has), member(demographics=has), rows).folder
        for has in (True, False)
    }


def predicted(folder: Path, rows: Rows, demographics: bool, monkeypatch: Any) -> Any:
    monkeypatch.chdir(folder.parent)
    return MEMBER.predictor(read_bundle(folder), member(demographics=demographics))(rows)


def test_what_was_fitted_travels_with_the_weights(
    trained: dict[bool, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of rows whose ages are others the same mean is taken: that of the training patients."""
    train, valid = validation_fold(make_rows(), 0)
    ages = np.unique(train.columns["age"])
    kept = load_file(trained[True] / WEIGHTS)["age"]
    assert kept.tolist() == pytest.approx([ages.mean(), ages.std()])
    said = predicted(trained[True], valid, True, monkeypatch)
    alone = predicted(trained[True], valid.where(np.arange(4)), True, monkeypatch)
    assert np.allclose(said[:4], alone, atol=1e-5)


@pytest.mark.parametrize("column", ["age", "gender"])
def test_without_demographics_nothing_of_them_reaches_the_network(
    column: str, trained: dict[bool, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, valid = validation_fold(make_rows(), 0)
    other = 1 - valid.columns[column] if column == "gender" else valid.columns[column] + 40
    changed = replace(valid, columns={**valid.columns, column: other})
    for demographics in (True, False):
        said, then = (
            predicted(trained[demographics], rows, demographics, monkeypatch)
            for rows in (valid, changed)
        )
        assert np.array_equal(said, then) == (not demographics)
    without = {name: each for name, each in valid.columns.items() if name != column}
    bare = replace(valid, columns=without)
    assert len(predicted(trained[False], bare, False, monkeypatch)) == len(valid)
    with pytest.raises(KeyError):
        predicted(trained[True], bare, True, monkeypatch)


# --- images, and where the head starts


class Passing:
    """A backbone's place: it hands on what it is shown."""

    def to(self, device: Any) -> Passing:
        return self


def test_both_images_are_augmented_each_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same photograph in both views and all rows; flips alone, so that one is one of four."""
    monkeypatch.setattr(
        "assay.systems.hemoglobin.networks.inputs.run_trunk", lambda _backbone, images: [images]
    )
    one = pixels(1)[0, 0]
    images = one.expand(40, 2, *one.shape)
    views: Any = [Passing(), Passing()]
    reseed(1)
    nail, eye = FreshViews(views, ("hflip", "vflip"), 32)(images, training=True)
    forms = [one, one.flip(0), one.flip(1), one.flip(0, 1)]

    def which(seen: Tensor) -> list[int]:
        return [next(n for n, form in enumerate(forms) if torch.equal(form, each)) for each in seen]

    pairs = set(zip(which(nail), which(eye), strict=True))
    assert set(which(nail)) == set(which(eye)) == {0, 1, 2, 3}
    assert len(pairs) > 8  # of sixteen; alike they would be four
    plain = FreshViews(views, ("hflip", "vflip"), 32)(images, training=False)
    assert all(torch.equal(each, images[:, 0]) for each in plain)


@pytest.mark.parametrize("demographics", [True, False])
def test_the_head_starts_at_the_mean_of_the_training_labels(
    demographics: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = make_rows()
    network = fitted(rows, tmp_path, monkeypatch, demographics)
    train, _ = validation_fold(rows, 0)
    last = network.head.regression[-1]
    assert last.bias.item() == pytest.approx(train.columns["hb"].mean(), abs=1e-5)
    assert last.bias.item() != pytest.approx(rows.columns["hb"].mean(), abs=1e-3)
