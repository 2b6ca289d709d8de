"""The fusion's grid: what it leaves, that it says what it left, and that nothing is trained twice."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from tests.fusion_set import DATA, FOLDS, ROOT, TASK, make_root, make_rows, run_grid, section_of

from assay.contract.bundle import Bundle, read_bundle
from assay.contract.combined import combined_predictor
from assay.errors import GateError
from assay.jobs import grid as module
from assay.jobs.store import JobStore
from assay.learning.module import Training
from assay.manifest.layout import Layout
from assay.runs.files import file_digest, read_json
from assay.runs.places import EVENTS, JOBS
from assay.runs.record import (
    HISTORY,
    OUT_OF_FOLD,
    RECORD,
    WEIGHTS,
    read_history,
    smaller_batches,
)  # fmt: skip
from assay.systems.hemoglobin.ensemble.columns import ANSWER, COLUMNS, SINGLES, VERSIONS
from assay.systems.hemoglobin.tasks.fusion import FUSION
from assay.systems.hemoglobin.tasks.fusion_grid import member_params
from assay.systems.hemoglobin.tasks.fusion_member import MEMBER
from assay.systems.hemoglobin.tasks.fusion_params import FusionParams, configurations
from assay.values import declared_part

GRID = section_of(nail=["test_resnet", "test_byobnet"], conjunctiva=["test_resnet"])
ONE = section_of(phases=[1], demographics="with")
FILES = (RECORD, WEIGHTS, HISTORY, OUT_OF_FOLD)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root in which a grid of eight configurations was trained; to be read only."""
    root = make_root(tmp_path_factory.mktemp("grid") / "root")
    run_grid(root, GRID)
    return root


@pytest.fixture
def again(trained: Path, tmp_path: Path) -> Path:
    """Return a copy of that root."""
    shutil.copytree(trained, tmp_path / "root")
    return tmp_path / "root"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the keys of the jobs that are done from now on."""
    done: list[str] = []
    real = module.run_job

    def run_job(job: Any, store: Any, runtime: Any) -> None:
        done.append(job.key)
        real(job, store, runtime)

    monkeypatch.setattr(module, "run_job", run_job)
    return done


def bundle_of(root: Path) -> Bundle:
    return read_bundle(root / "models" / TASK)


def record_of(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_json(root / "models" / TASK / RECORD)
    return found


def params() -> FusionParams:
    return declared_part({TASK: GRID}, TASK, FusionParams)


def files_of(root: Path) -> dict[str, bytes]:
    return {name: (root / "models" / TASK / name).read_bytes() for name in FILES}


def kept(root: Path) -> tuple[Any, Any]:
    """Return the columns and what each configuration says, of all rows, out of fold."""
    table = pl.read_parquet(root / "models" / TASK / OUT_OF_FOLD)
    return table["best"].to_numpy(), table["trainings"].to_numpy()


def results(root: Path) -> Mapping[str, Path]:
    store = JobStore(root)
    return {job.key: found for job in store.jobs() if (found := store.result(job))}


# --- what is left


def test_the_record_tells_every_training(trained: Path) -> None:
    record, names = record_of(trained), list(configurations(GRID))
    jobs = record["jobs"]
    assert [(each["name"], each["fold"]) for each in jobs] == [
        (name, fold) for name in names for fold in range(FOLDS)
    ]
    assert {each["key"] for each in jobs} == set(results(trained))
    for each in jobs:
        own = read_json(results(trained)[each["key"]] / RECORD)
        assert own["chosen"] == each["chosen"]
        phase, nail, _, version = each["name"].split("-")
        assert (f"p{each['params']['phase']}", each["params"]["nail"]) == (phase, nail)
        assert each["params"]["demographics"] == (version == "w_demo")
    members = {each["name"] for each in record["model"]["members"]}
    assert {each["name"] for each in jobs if each["is_finalist"]} == members
    assert sum(each["is_finalist"] for each in jobs) == FOLDS * len(members)
    assert record["model"]["outputs"] == len(COLUMNS)
    assert record["model"]["folds"] == list(range(FOLDS))
    assert record["files"] == {WEIGHTS: file_digest(trained / "models" / TASK / WEIGHTS)}


def test_the_history_is_that_of_every_training(trained: Path) -> None:
    jobs = record_of(trained)["jobs"]
    rows = read_history(trained / "models" / TASK / HISTORY)
    for place, each in enumerate(jobs):
        own = [row for row in rows if row["job"] == place]
        assert {row["fold"] for row in own} == {each["fold"]}
        plain = [{k: v for k, v in row.items() if k not in ("job", "fold")} for row in own]
        assert plain == read_history(results(trained)[each["key"]] / HISTORY)


def test_rows_out_of_fold_are_what_each_training_said(trained: Path) -> None:
    best, trainings = kept(trained)
    rows, jobs = make_rows(), record_of(trained)["jobs"]
    table = pl.read_parquet(trained / "models" / TASK / OUT_OF_FOLD)
    assert table["sample_id"].to_list() == rows.columns["sample_id"].tolist()
    names = list(configurations(GRID))
    assert best.shape == (len(rows), len(COLUMNS))
    assert trainings.shape == (len(rows), len(names))
    assert np.isfinite(trainings).all()
    for each in jobs:
        own = pl.read_parquet(results(trained)[each["key"]] / OUT_OF_FOLD)
        held = rows.columns["fold"] == each["fold"]
        assert own["sample_id"].to_list() == rows.columns["sample_id"][held].tolist()
        said = own["best"].to_numpy()[:, 0]
        assert np.array_equal(trainings[held, names.index(each["name"])], said)


def test_columns_are_finalists_and_their_weighted_sums(trained: Path) -> None:
    best, trainings = kept(trained)
    model, names = record_of(trained)["model"], list(configurations(GRID))
    column = {name: best[:, at] for at, name in enumerate(COLUMNS)}
    for name in SINGLES:
        assert np.isnan(column[name]).all()
    assert len(model["finalists"]) == 8
    for name, configuration in model["finalists"].items():
        assert np.array_equal(column[name], trainings[:, names.index(configuration)])
    for version in VERSIONS:
        shares = model["mix"][version]
        assert sum(shares.values()) == pytest.approx(1)
        assert all(name.endswith(f"-{version}") for name in shares)
        said = sum(share * trainings[:, names.index(name)] for name, share in shares.items())
        assert np.allclose(column[version], said, atol=1e-5)
    assert np.array_equal(column[ANSWER], column["w_demo"])


# --- the model says what it left


@pytest.mark.parametrize("fold", range(FOLDS))
def test_the_model_of_a_fold_says_what_was_kept_of_its_rows(fold: int, trained: Path) -> None:
    """To the byte; of rows in another order, or a few of them, nearly."""
    rows, (best, _) = make_rows(), kept(trained)
    held = rows.columns["fold"] == fold
    predict = FUSION.predictor(bundle_of(trained).folds[fold], params())
    assert np.array_equal(predict(rows.where(held)), best[held], equal_nan=True)
    few = np.flatnonzero(held)[[5, 0, 3]]
    assert np.allclose(predict(rows.where(few)), best[few], atol=1e-4, equal_nan=True)
    another = FUSION.predictor(bundle_of(trained).folds[(fold + 1) % FOLDS], params())
    assert not np.allclose(another(rows.where(held)), best[held], atol=1e-4, equal_nan=True)


def test_the_whole_model_is_the_mean_of_its_folds_and_each_column_its_members(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of photographs that nobody has seen."""
    monkeypatch.chdir(trained)
    bundle, fresh = bundle_of(trained), make_rows(people=3, seed=8)
    said = combined_predictor(FUSION, bundle, params())(fresh)
    each = np.stack([FUSION.predictor(own, params())(fresh) for own in bundle.folds])
    assert np.allclose(said, each.mean(axis=0), atol=1e-5, equal_nan=True)
    assert FUSION.refuse_predictions(said, fresh) == ""
    record, column = record_of(trained), dict(zip(COLUMNS, said.T, strict=True))
    of_member: dict[str, Any] = {}
    for name in set(record["model"]["finalists"].values()):
        own = member_params(configurations(GRID)[name])
        keys = [each["key"] for each in record["jobs"] if each["name"] == name]
        answers = [MEMBER.predictor(read_bundle(results(trained)[k]), own)(fresh) for k in keys]
        of_member[name] = np.mean(answers, axis=0)[:, 0]
    for place, name in record["model"]["finalists"].items():
        assert np.allclose(column[place], of_member[name], atol=1e-4)
    for version, shares in record["model"]["mix"].items():
        mixed = sum(share * of_member[name] for name, share in shares.items())
        assert np.allclose(column[version], mixed, atol=1e-4)


def test_the_served_model_sees_nail_and_eye_each_in_its_place(trained: Path) -> None:
    """The record names its views in alphabetic order, which is not theirs."""
    from assay.registry.served import ServedModel

    rows, (best, _), served = make_rows(), kept(trained), ServedModel()
    assert list(record_of(trained)["model"]["views"]) != list(rows.images)
    served.load_context(SimpleNamespace(artifacts={"bundle": str(trained / "models" / TASK)}))
    held = rows.where(rows.columns["fold"] == 1)
    asked = {**held.images, "age": held.columns["age"], "gender": held.columns["gender"]}
    said = served.predict(None, asked, {"fold": 1})
    assert np.allclose(said, best[rows.columns["fold"] == 1], atol=1e-4, equal_nan=True)


# --- nothing is trained twice


def test_a_second_run_trains_nothing(again: Path, counted: list[str]) -> None:
    before = files_of(again)
    run_grid(again, GRID)
    assert counted == []
    assert files_of(again) == before


def test_a_grid_that_grows_trains_what_is_new(again: Path, counted: list[str]) -> None:
    """And other selection or weights train nothing, since no training depends on them."""
    others = {**GRID["model"]["select"], "weights": "inverse_mae", "keep": "all"}
    run_grid(again, {**GRID, "model": {**GRID["model"], "select": others}})
    assert counted == []
    wider = {**GRID["model"], "conjunctiva": ["test_resnet", "test_byobnet"], "phases": [1]}
    run_grid(again, {**GRID, "model": {**wider, "demographics": "with"}})
    assert len(counted) == len(set(counted)) == 2 * FOLDS


def test_weights_that_went_are_trained_again_where_a_choice_needs_them(
    again: Path, counted: list[str]
) -> None:
    """All weights go; those of finalists come back, to the same bytes, and no others."""
    before, store = files_of(again), JobStore(again)
    for job in store.jobs():
        store.prune(job)
    run_grid(again, GRID)
    jobs = record_of(again)["jobs"]
    assert sorted(counted) == sorted(each["key"] for each in jobs if each["is_finalist"])
    assert files_of(again) == before


def test_what_is_refused_before_is_not_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kind that the preflight refuses stops the grid before the first training."""
    root = make_root(tmp_path / "root")
    kinds: list[int] = []

    def refused(spec: Any, *_: Any) -> Any:
        from assay.contract.checks import Check

        kinds.append(1)
        return [Check("planted", False, "expected", "found", 1)]

    monkeypatch.setattr("assay.systems.hemoglobin.tasks.fusion_grid.judge_training", refused)
    with pytest.raises(GateError):
        run_grid(root, section_of(), is_judged=True)
    assert len(kinds) == 2  # a phase each
    assert not (root / JOBS).exists()


class Killed(BaseException): ...


def test_a_killed_grid_goes_on_and_never_looks_at_what_is_sealed(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in three trainings; sealed files are there, and nobody could read them."""
    root, step, at = make_root(tmp_path / "root"), Training.training_step, [0]
    for path in (Layout(DATA).sealed, Layout(DATA).sealed_pixels):
        (root / path).write_bytes(b"no table, and no array")

    def killed(self: Training, batch: Any, batch_idx: int) -> Any:
        at[0] += 1
        if at[0] in (2, 15, 40):
            raise Killed
        return step(self, batch, batch_idx)

    monkeypatch.setattr(Training, "training_step", killed)
    for _ in range(3):
        with pytest.raises(Killed):
            run_grid(root, GRID)
    run_grid(root, GRID)
    assert files_of(root) == files_of(trained)
    told = noted(root)
    assert len(told) == len(results(trained))
    assert all(events["trained"] == 1 for events in told.values())


def noted(root: Path) -> dict[str, Counter[str]]:
    """Return how often each job came to the end of an epoch, and of its training."""
    return {
        path.stem: Counter(json.loads(line)["event"] for line in path.read_text().splitlines())
        for path in (root / EVENTS).rglob("*.jsonl")
    }


def test_no_sealed_file_is_an_input_of_the_training() -> None:
    """By what the stage declares: DVC would not even bring it."""
    declared = (ROOT / "dvc.yaml").read_text()
    start = declared.index("\n  train:")
    stage = declared[start : declared.index("\n\n", start + 9)]
    assert "trainval.npy" in stage
    for path in (Layout(DATA).sealed, Layout(DATA).sealed_pixels):
        assert f"/{path.name}" not in stage.replace(f"trainval{path.suffix}", "")


def test_one_training_without_memory_halves_its_batch_and_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others keep theirs; and the model is the one that memory would have made."""
    roots = [make_root(tmp_path / name) for name in ("enough", "short")]
    run_grid(roots[0], ONE)
    step, at = Training.training_step, [0]

    def refused(self: Training, batch: Any, batch_idx: int) -> Any:
        at[0] += 1
        if at[0] in (3, 4):  # in the second training, and in its second attempt
            raise torch.OutOfMemoryError("planted")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(Training, "training_step", refused)
    run_grid(roots[1], ONE)
    record = record_of(roots[1])
    parted = {"batch_size": 32, "accumulate_grad_batches": 4}
    assert [each.get("out_of_memory") for each in record["jobs"]] == [None, parted, None]
    name = record["jobs"][1]["name"]
    assert smaller_batches(record) == (
        f"out of memory: trained {name} fold 1 in batches of 32, 4 a step"
    )
    enough, short = files_of(roots[0]), files_of(roots[1])
    assert {**enough, RECORD: b""} == {**short, RECORD: b""}
