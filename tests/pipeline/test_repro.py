"""`assay repro`: branches side by side under real DVC; failures, kills, and who stands in the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import zc.lockfile
from tests.project import until
from tests.small_pipeline import NEEDS, Pipeline, alone


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Return the small pipeline as a plain `dvc repro` leaves it."""
    made = alone(tmp_path_factory.mktemp("serial") / "project")
    made.run("dvc", "repro")
    return made


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return alone(tmp_path_factory.mktemp("untouched") / "project").folder


@pytest.fixture
def project(untouched: Path, tmp_path: Path) -> Pipeline:
    shutil.copytree(untouched, tmp_path / "project")
    return Pipeline(tmp_path / "project")


def assert_same(project: Pipeline, serial: Pipeline) -> None:
    """Bytes and dvc.lock are those of the serial run, and DVC has nothing to do."""
    assert project.outputs() == serial.outputs()
    assert project.lock() == serial.lock()
    assert "up to date" in project.run("dvc", "status")


def ended(process: int) -> bool:
    """Return whether nobody has that number any more: DVC takes one that nobody reaped for alive."""
    return not Path(f"/proc/{process}").exists()


def remove_cut_rwlock(project: Pipeline) -> None:
    """Do what a refused `repro` says where the kill fell into DVC's writing of the file."""
    path = project.folder / ".dvc" / "tmp" / "rwlock"
    try:
        json.loads(path.read_text())
    except json.JSONDecodeError:
        path.unlink()


def test_branches_run_side_by_side_and_leave_what_a_serial_run_leaves(
    project: Pipeline, serial: Pipeline
) -> None:
    """`left` and `right` each end only when the other has begun."""
    project.put("left.meets", "right")
    project.put("right.meets", "left")
    text = project.repro()
    assert "7 of 7 stages may have to run" in text
    assert all(f"done  {name}" in text for name in NEEDS)
    assert_same(project, serial)
    assert "nothing changed: 7 stages" in project.repro()
    assert all(project.runs(name) == 1 for name in NEEDS)


@pytest.mark.dvc
def test_one_at_a_time_is_one_at_a_time(project: Pipeline, serial: Pipeline) -> None:
    """With one job `left` waits for `right` in vain, in whatever order they come."""
    assert "2 of 2" in project.repro("same", jobs=1)
    project.put("left.meets", "right")
    project.put("right.meets", "left")
    script = project.folder / "stage.py"  # its patience of a minute is shortened to two seconds
    script.write_text(script.read_text().replace("range(1200)", "range(40)"))
    assert "was alone" in project.repro("both", jobs=1, fails=True)


@pytest.mark.dvc
def test_a_changed_stage_with_equal_output_stops_there(project: Pipeline, serial: Pipeline) -> None:
    """Planned with all that depends on it; DVC itself finds that the rest is as it was."""
    project.repro()
    project.put("seed", "2")
    text = project.repro("both")
    assert "6 of 6 stages" in text
    assert [project.runs(name) for name in ("first", "same", "left", "right", "both")] == [
        2,
        2,
        1,
        1,
        1,
    ]
    assert project.runs("apart") == 1
    project.repro()
    assert project.runs("apart") == 2


def test_a_failure_is_told_with_its_own_words_and_starts_nothing_else(
    project: Pipeline, serial: Pipeline
) -> None:
    project.put("left.fails")
    project.put("left.meets", "right")
    project.put("right.meets", "left")
    text = project.repro(fails=True)
    assert "error: left: no luck" in text
    assert "error: left: failed; not run: " in text
    assert "/.assay/repro/lefter.log" in text
    assert "Traceback" not in text
    assert "right.txt" in project.outputs(), "the branch beside it came to its end"
    assert project.runs("both") == project.runs("lefter") == 0
    (project.folder / "left.fails").unlink()
    project.repro()
    assert project.runs("right") == project.runs("first") == 1
    assert_same(project, serial)


@pytest.mark.dvc
def test_keep_going_runs_what_does_not_need_it(project: Pipeline) -> None:
    project.put("first.fails")
    project.repro(jobs=1, fails=True)
    assert project.runs("apart") == 0
    text = project.repro(jobs=1, keep_going=True, fails=True)
    assert project.runs("apart") == 1
    assert "error: first: failed; not run: " in text
    project.put("apart.fails")
    project.put("seed", "3")
    text = project.repro(jobs=1, keep_going=True, fails=True)
    assert "error: first: failed; failed as well: apart; not run: " in text


@pytest.mark.kill
def test_a_killed_branch_leaves_the_others_and_the_same_command_ends_it(
    project: Pipeline, serial: Pipeline
) -> None:
    """`kill -9` of the branch's dvc, from within its stage, while another branch runs."""
    project.put("left.kills")
    project.put("left.meets", "right")
    project.put("right.meets", "left")
    text = project.repro(fails=True)
    assert "error: left: was killed by SIGKILL; not run: " in text
    assert {"first", "same", "right"} <= set(project.lock())
    assert "left" not in project.lock()
    project.repro()
    assert project.runs("right") == project.runs("first") == 1
    assert_same(project, serial)


@pytest.mark.kill
def test_what_it_started_dies_with_it(project: Pipeline, serial: Pipeline) -> None:
    project.put("left.meets", "nobody")
    driver = project.begin()
    until(lambda: project.runs("left"))
    stage = project.process("left")
    branch = int(Path(f"/proc/{stage}/stat").read_text().rpartition(")")[2].split()[1])
    driver.kill()
    driver.wait()
    until(lambda: ended(branch))
    os.kill(stage, signal.SIGKILL)  # a stage of assay dies with its dvc; this one has no such habit
    (project.folder / "left.meets").unlink()
    remove_cut_rwlock(project)
    project.repro()
    assert_same(project, serial)


@pytest.mark.kill
def test_after_ctrl_c_nothing_runs_and_the_same_command_goes_on(
    project: Pipeline, serial: Pipeline
) -> None:
    project.put("left.meets", "nobody")
    driver = project.begin()
    until(lambda: project.runs("left"))
    stage = project.process("left")
    driver.send_signal(signal.SIGINT)
    assert driver.wait(60) != 0
    until(lambda: ended(stage))
    (project.folder / "left.meets").unlink()
    assert "had been killed" not in project.repro(), "it gave its locks back"
    assert_same(project, serial)


@pytest.mark.dvc
def test_a_stage_that_ends_while_others_commit_for_long_is_not_lost(
    project: Pipeline, serial: Pipeline
) -> None:
    """DVC gives up after 3 s without `--wait-for-lock`, and the stage would have run for nothing."""
    project.put("left.meets", "never")
    driver = project.begin()
    until(lambda: project.runs("left") and "right.txt" in project.outputs())
    until(lambda: "right" in project.lock())
    held = zc.lockfile.LockFile(str(project.folder / ".dvc" / "tmp" / "lock"))
    project.put("begun/never")
    until(lambda: "left.txt" in project.outputs())
    time.sleep(6)
    held.close()
    assert driver.wait(60) == 0
    (project.folder / "left.meets").unlink()
    assert project.runs("left") == 1
    assert_same(project, serial)


@pytest.mark.dvc
def test_a_frozen_stage_is_left_as_it_is(project: Pipeline) -> None:
    project.repro()
    project.run("dvc", "freeze", "first")
    project.put("seed", "2")
    project.repro()
    assert project.runs("first") == 1
    assert project.runs("apart") == 2


def test_an_unknown_target_is_refused_with_its_neighbour(project: Pipeline) -> None:
    text = project.repro("lefte", fails=True)
    assert text.startswith("error: lefte: no such stage\n       expected: did you mean lefter?")
    text = project.repro("q", fails=True)
    assert "one of apart, both, first, left, lefter, right, same" in text
    assert project.run("dvc", "stage", "list", "--all")


def test_a_half_written_lock_of_a_killed_dvc_is_told_with_its_mend(
    project: Pipeline, serial: Pipeline
) -> None:
    (project.folder / ".dvc" / "tmp").mkdir(exist_ok=True)
    project.put(".dvc/tmp/rwlock", "{")
    text = project.repro(fails=True)
    assert "mend: when no dvc runs here: rm .dvc/tmp/rwlock" in text
    assert "Traceback" not in text
    project.run("rm", ".dvc/tmp/rwlock")
    project.repro()
    assert_same(project, serial)


@pytest.mark.dvc
def test_a_dvc_beside_it_is_told_who_stands_in_its_way(project: Pipeline, serial: Pipeline) -> None:
    """What the documentation says of `dvc repro` and `dvc status` while branches run."""
    project.repro("same")
    project.put("left.meets", "never")
    driver = project.begin()
    until(lambda: project.runs("left"))
    for command in (("dvc", "repro", "right"), ("dvc", "repro", "both"), ("dvc", "status")):
        text = project.run(*command, fails=True)
        assert "is busy, it is being blocked by" in text
        assert "dvc --wait-for-lock repro -s left lefter" in text
    assert "another dvc works on these files" in project.repro("both", fails=True)
    project.put("begun/never")
    assert driver.wait(60) == 0
    (project.folder / "left.meets").unlink()
    assert_same(project, serial)


@pytest.mark.dvc
def test_a_work_tree_beside_it_is_free(project: Pipeline, serial: Pipeline, tmp_path: Path) -> None:
    """As the documentation has it: another folder, the same cache."""
    project.repro("same")
    project.run("git", "add", "-A")
    project.run("git", "commit", "-q", "-m", "Same")
    project.put("left.meets", "never")
    driver = project.begin()
    until(lambda: project.runs("left"))
    beside = Pipeline(tmp_path / "next")
    project.run("git", "worktree", "add", "-q", str(beside.folder))
    beside.run("dvc", "cache", "dir", "--local", str(project.folder / ".dvc" / "cache"))
    beside.run("dvc", "checkout", "-q", "--allow-missing")
    beside.run("dvc", "repro")
    assert beside.outputs() == serial.outputs()
    assert beside.runs("same") == 0, "its output came from the cache"
    project.put("begun/never")
    assert driver.wait(60) == 0
