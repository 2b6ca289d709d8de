"""The section of the fusion, and of one training of its grid: batches, names, what is refused and how."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from tests.fusion_set import TASK, fit_member, make_root, make_rows, member, section_of

from assay.errors import ParamsError
from assay.learning.data import train_loader
from assay.manifest.parts import validation_fold
from assay.runs.files import read_json
from assay.runs.record import RECORD
from assay.systems.hemoglobin.tasks.fusion_grid import member_params
from assay.systems.hemoglobin.tasks.fusion_member import MEMBER
from assay.systems.hemoglobin.tasks.fusion_params import FusionParams, configurations
from assay.values import typed

NAIL = ["rexnetr_300.sw_in12k", "convnext_base.clip_laion2b_augreg_ft_in12k",
        "resnetaa101d.sw_in12k", "convnext_small.in12k", "efficientnet_b5.sw_in12k"]  # fmt: skip
EYE = ["efficientnet_b5.sw_in12k", "rexnetr_300.sw_in12k", "convnext_small.in12k",
       "regnety_120.sw_in12k", "coatnet_rmlp_2_rw_224.sw_in12k"]  # fmt: skip


def checked(section: dict[str, Any]) -> FusionParams:
    return typed({TASK: section}, TASK, FusionParams)


# --- the grid


def test_a_phase_of_the_study_is_250_trainings_of_50_configurations() -> None:
    names = list(configurations(section_of(nail=NAIL, conjunctiva=EYE, phases=[1])))
    assert len(names) == 5 * 5 * 2
    assert len(names) * 5 == 250
    assert len(set(names)) == len(names)
    assert names[0] == "p1-rexnetr_300.sw_in12k-efficientnet_b5.sw_in12k-w_demo"
    assert names[-1] == "p1-efficientnet_b5.sw_in12k-coatnet_rmlp_2_rw_224.sw_in12k-wo_demo"
    assert len(configurations(section_of(nail=NAIL, conjunctiva=EYE, phases=[1, 2]))) == 100


@pytest.mark.parametrize(
    ("asked", "versions"),
    [("both", {"w_demo", "wo_demo"}), ("with", {"w_demo"}), ("without", {"wo_demo"})],
)
def test_versions_are_those_that_are_asked(asked: str, versions: set[str]) -> None:
    every = configurations(section_of(demographics=asked))
    assert {name.split("-")[-1] for name in every} == versions
    for name, own in every.items():
        assert own["model"]["demographics"] == name.endswith("-w_demo")
        assert name.startswith(f"p{own['model']['phase']}-test_resnet-test_byobnet-")


def test_each_phase_has_its_own_training() -> None:
    section = section_of({"epochs": 9, "head_lr": 0.25})
    section["train"]["phase2"] |= {"epochs": 11, "frozen_epochs": 4, "backbone_lr": 0.125}
    first, second = (member(phase, section=section).train for phase in (1, 2))
    assert (first.epochs, first.frozen_epochs, first.head_lr, first.head_lr_thawed) == (
        9, 1, 0.25, "none",
    )  # fmt: skip
    assert (second.epochs, second.frozen_epochs, second.backbone_lr) == (11, 4, 0.125)
    assert second.head_lr_thawed == section["train"]["phase2"]["head_lr_thawed"]
    assert (second.seed, second.batch_size) == (first.seed, first.batch_size)
    assert all("phase2" not in own["train"] for own in configurations(section).values())


# --- batches


@pytest.mark.parametrize(
    ("nail", "eye", "batch"),
    [
        ("convnext_base", "convnext_small", 128), ("rexnetr_300.sw_in12k", "convnext_small", 64),
        ("convnext_small", "rexnetr_300", 64), ("rexnetr_200.sw_in12k", "convnext_small", 128),
    ],
)  # fmt: skip
def test_the_batch_is_128_and_64_where_rexnetr_300_takes_part(
    nail: str, eye: str, batch: int
) -> None:
    for own in configurations(section_of(nail=[nail], conjunctiva=[eye])).values():
        assert member_params(own).train.batch_size == batch
    low = configurations(section_of({"batch_size": 32}, nail=[nail], conjunctiva=[eye]))
    assert {own["train"]["batch_size"] for own in low.values()} == {32}  # never raised


@pytest.mark.parametrize(
    ("batch", "people", "steps", "sizes"),
    [
        (128, 22, 1, [68]), (64, 22, 2, [64, 4]), (17, 22, 4, [17, 17, 17, 17]),
        (67, 22, 2, [66, 2]),  # 67 would leave one alone, and one row has no variance
        (3, 4, 3, [3, 3, 2]),
    ],
)  # fmt: skip
def test_every_row_is_in_a_batch_and_none_is_alone(
    batch: int, people: int, steps: int, sizes: list[int], tmp_path: Path, monkeypatch: Any
) -> None:
    """Of 22 patients 17 learn: 68 pairs; of 4 two."""
    rows = make_rows(people, folds=5 if people == 22 else 2)
    monkeypatch.chdir(make_root(tmp_path / "root", rows))
    train, valid = validation_fold(rows, 0)
    params = member(section=section_of({"batch_size": batch}))
    ready = MEMBER.learner(params).prepare(train, valid)
    assert ready.facts["steps_per_epoch"] == steps
    loader = train_loader(ready.train, ready.spec.config.batch_size, 1, 0)
    assert [len(labels) for _, labels, *_ in loader] == sizes
    assert sum(sizes) == len(train)


def test_steps_are_reported_as_they_were_made(tmp_path: Path, monkeypatch: Any) -> None:
    """With 23 of 24 rows a batch, and with two batches a step."""
    rows = make_rows()
    root = make_root(tmp_path / "root", rows)
    from assay.learning.module import Training

    made: list[int] = []
    real = Training.training_step
    monkeypatch.setattr(
        Training, "training_step",
        lambda self, batch, at: made.append(len(batch[1])) or real(self, batch, at),
    )  # fmt: skip
    for name, how, steps, batches in (
        ("alone", {"batch_size": 23}, 2, [22, 2]),
        ("several", {"batch_size": 8, "accumulate_grad_batches": 2}, 2, [8, 8, 8]),
    ):
        made.clear()
        run = fit_member(root, root / name, member(section=section_of(how)), rows)
        assert read_json(run.folder / RECORD)["steps_per_epoch"] == steps
        assert made == 2 * batches


# --- what is refused


def changed(place: str, value: Any) -> dict[str, Any]:
    section = section_of()
    *path, last = place.split(".")
    part = section
    for name in path:
        part = part[name]
    part[last] = value
    return section


def test_the_declared_section_is_one() -> None:
    assert checked(section_of()).train.fold == "all"


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("model.nail", ["test_resnet", "test_resnet"], "each once"),
        ("model.nail", [], "at least 1 item"),
        ("model.nail", "test_resnet", "list"),
        ("model.conjunctiva", ["a", "b", "a"], "each once"),
        ("model.demographics", "yes", "'both', 'with' or 'without'"),
        ("model.phases", [3], "1 or 2"),
        ("model.phases", [1, 1], "each once"),
        ("model.phases", [], "at least 1 item"),
        ("model.unfreeze", 3, "1 or 2"),
        ("model.weights", "best", "'none', 'pretrained' or 'single'"),
        ("model.hidden", [], "at least 1 item"),
        ("model.dropout", 1.0, "less than 1"),
        ("model.select.step", 0.3, "a step that 1 is a whole number of"),
        ("model.select.step", 0.75, "a step that 1 is a whole number of"),
        ("model.select.step", 0, "a step that 1 is a whole number of"),
        ("model.select.weights", "even", "'simplex' or 'inverse_mae'"),
        ("model.select.keep", "none", "'finalists' or 'all'"),
        ("train.fold", 0, "'all'"),
        ("train.frozen_epochs", 2, "below epochs 2"),
        ("train.frozen_epochs", 7, "below epochs 2"),
        ("train.head_warmup_epochs", 2, "head_warmup_epochs 2 up to frozen_epochs 1"),
        ("train.phase2.frozen_epochs", 2, "below epochs 2"),
        ("train.stored_views", 65, "less than or equal to 64"),
        ("train.stored_views", -1, "greater than or equal to 0"),
        ("train.head_lr_thawed", "never", "none, or a rate above 0"),
        ("train.head_lr_thawed", 0, "none, or a rate above 0"),
        ("train.phase2.head_lr_thawed", True, "none, or a rate above 0"),
        ("train.augment", ["rotate"], "'hflip', 'vflip', 'crop' or 'tilt'"),
        ("train.batch_size", 0, "greater than or equal to 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_place(place: str, value: Any, said: str) -> None:
    with pytest.raises(ParamsError) as caught:
        checked(changed(place, value))
    where, *others = caught.value.render().splitlines()
    assert said in "".join(others)
    is_of_several = "epochs" in place
    own = place.rpartition(".")[0] if is_of_several else place
    assert where.startswith(
        (f"error: params.yaml · {TASK}.{own}: ", f"error: params.yaml · {TASK}.{own}.0: ")
    )
    assert is_of_several or f"mend: dvc exp run -S '{TASK}.{own}" in others[-1]


@pytest.mark.parametrize(
    ("place", "meant"),
    [
        ("model.nails", "model.nail"), ("model.demographic", "model.demographics"),
        ("model.select.setp", "model.select.step"), ("train.epoch", "train.epochs"),
        ("train.phase2.frozen_epoch", "train.phase2.frozen_epochs"),
        ("train.stored_view", "train.stored_views"),
    ],
)  # fmt: skip
def test_a_misspelt_name_is_told_with_the_one_that_was_meant(place: str, meant: str) -> None:
    with pytest.raises(ParamsError) as caught:
        checked(changed(place, 1))
    assert f"{TASK}.{place}: unknown key" in caught.value.render()
    assert meant in caught.value.render()


def test_a_section_is_not_changed_by_what_is_made_of_it() -> None:
    section = section_of(nail=NAIL, conjunctiva=EYE)
    before = copy.deepcopy(section)
    for own in configurations(section).values():
        own["train"]["batch_size"] = 1
    assert section == before
