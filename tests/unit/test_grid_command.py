"""`assay grid`: which trainings, once, under the keys of the stage; one epoch of each; what is told."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from tests.grid_set import FOLDS, FUSION, inputs, make_grid_root, section

import assay.search.inputs
from assay.__main__ import cli
from assay.jobs.grid import grid_jobs
from assay.jobs.grid_ahead import narrowed
from assay.jobs.store import JobStore
from assay.lookup import find_task
from assay.systems.hemoglobin.tasks.fusion import Fusion

if TYPE_CHECKING:
    from collections.abc import Iterator

TASK: Any = find_task(FUSION)
PAIRS = [("test_resnet", "test_resnet"), ("test_resnet", "test_byobnet")]
FEW = {"model.nail": ["test_resnet"], "model.phases": [1]}  # two pairs, two versions, two folds
STARTED = 3.0  # s of a second call, of the verb in this process, with all imported


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_grid_root(tmp_path_factory.mktemp("grid") / "root", **FEW)


@pytest.fixture
def root(small: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stand in a checkout without a result; DVC's digests and the preflight are stood in for."""
    import assay.systems

    monkeypatch.setattr(assay.systems, "__path__", assay.systems.__path__[:1])
    monkeypatch.setattr(assay.search.inputs, "training_inputs", lambda root, task: inputs(root))
    monkeypatch.setattr(Fusion, "judge", lambda *_: None)
    monkeypatch.chdir(small)
    yield small
    for name in ("jobs", "events"):
        shutil.rmtree(small / ".assay" / name, ignore_errors=True)


def asked(*arguments: str, task: str = FUSION) -> Result:
    return CliRunner().invoke(cli, ["grid", task, *arguments])


def done(root: Path) -> list[tuple[str, int]]:
    """Return configuration and fold of every job of the stage that has a result."""
    trainings = grid_jobs(TASK, section(root), inputs(root), range(FOLDS))
    return [name for name, job in trainings.items() if JobStore(root).result(job)]


def outputs(root: Path) -> list[Path]:
    return [path for name in ("models", "reports") for path in (root / name).rglob("*")]


def test_the_jobs_are_the_stages_and_none_is_done_twice(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked().exit_code == 0
    assert len(done(root)) == len(list(JobStore(root).jobs())) == 2 * 2 * FOLDS
    assert outputs(root) == []

    def again(*_: object) -> None:
        raise AssertionError("something is made anew")

    monkeypatch.setattr(Fusion, "judge", again)
    monkeypatch.setattr(Fusion, "prepare", again)
    monkeypatch.setattr("assay.jobs.run_job._train", again)
    begun = time.process_time()
    second = asked()
    assert time.process_time() - begun < STARTED
    assert second.exit_code == 0, second.output
    assert "8 trainings are done" in second.output


def test_a_range_is_of_pairs_in_the_grids_order(root: Path) -> None:
    assert asked("--start", "1", "--end", "2").exit_code == 0
    wanted = [f"p1-{'-'.join(PAIRS[1])}-{version}" for version in ("w_demo", "wo_demo")]
    assert done(root) == [(name, fold) for name in wanted for fold in range(FOLDS)]
    shown = CliRunner().invoke(cli, ["jobs"]).output
    assert wanted[0] in shown
    assert f"[4/4] {FUSION}" in shown
    (told,) = json.loads(CliRunner().invoke(cli, ["jobs", "--json"]).output)["tasks"]
    assert {each["name"] for each in told["jobs"]} == {
        f"{name}, fold {fold}" for name, fold in done(root)
    }


def test_ranges_and_phases_part_the_grid(root: Path) -> None:
    whole = section(root)
    whole = {**whole, "model": {**whole["model"], "phases": [1, 2], "nail": ["a", "b", "c"]}}
    every = list(TASK.configurations(whole))
    assert list(narrowed(TASK, whole, 0, None, None)) == every
    parts = [
        narrowed(TASK, whole, 0, 2, 1),
        narrowed(TASK, whole, 0, 2, 2),
        narrowed(TASK, whole, 2, 6, None),
    ]
    assert sorted(name for part in parts for name in part) == sorted(every)
    assert all(name.startswith("p2-a-") for name in parts[1])


def test_an_epoch_of_each_keeps_nothing(root: Path) -> None:
    told = asked("--fast-dev")
    assert told.exit_code == 0, told.output
    assert "[4/4]" in told.output
    assert "4 configurations: one epoch of each went well" in told.output
    assert done(root) == []
    assert outputs(root) == []
    assert not (root / ".assay/jobs").exists()
    assert not list((root / ".assay/fast-dev").rglob("*.safetensors"))


def test_one_epoch_is_of_what_thaws_too(root: Path) -> None:
    for own in TASK.configurations(section(root)).values():
        short = TASK.one_epoch(own)["train"]
        assert (short["epochs"], short["frozen_epochs"]) == (1, 0)
        assert {**own["train"], **short} == short  # no key of its own; all else as declared
        assert short["batch_size"] == own["train"]["batch_size"]


def test_what_fails_in_an_epoch_is_told_at_the_end(root: Path, tmp_path: Path) -> None:
    """Of a backbone that timm does not know; the others are tried."""
    spoilt = make_grid_root(
        tmp_path / "spoilt", **FEW, **{"model.conjunctiva": ["test_resnet", "no_net"]}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(spoilt)
        told = asked("--fast-dev")
    assert told.exit_code == 1
    said = str(told.exception)
    assert "2 of 4 configurations failed" in said
    assert "p1-test_resnet-no_net-w_demo, p1-test_resnet-no_net-wo_demo" in said
    assert said.count("timm has no 'no_net'") == 1
    assert "p1-test_resnet-test_resnet-w_demo, fold 0: mae" in told.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--start", "1", "--end", "1"), "no such pairs of 2"),
        (("--start", "2"), "no such pairs of 2"),
        (("--start", "-1"), "no such pairs of 2"),
        (("--end", "3"), "0 ≤ start < end ≤ 2"),
        (("--phase", "2"), "the grid has no phase 2"),
    ],
)
def test_no_such_part_is_told_before_anything_is_asked(
    root: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr(assay.search.inputs, "training_inputs", None)
    refused = asked(*arguments)
    assert refused.exit_code == 1
    assert said in str(refused.exception)


def test_a_task_of_one_training_and_a_strange_number_are_told(root: Path) -> None:
    said = str(asked(task="hemoglobin-nail").exception)
    assert "it is one training, and no grid of them" in said
    assert "assay sweep hemoglobin-nail" in said
    assert "no number from 1" in asked("--n-jobs", "0").output
