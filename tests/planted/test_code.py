"""Code that is not what a stage's digest stands for: each way to come by it, planted and refused."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.conftest import DATA, TASK, Project

from assay.code.declared import TOLD, Declared, heed
from assay.errors import AssayError
from assay.similar.pool import over_cores
from assay.stages import split

if TYPE_CHECKING:
    from assay.stages.launch import Stage

SPLIT = f"split@{DATA}"
FILE = f"code/hemoglobin/{SPLIT}.json"
STRANGE = "assay.gates.verdict"  # a split asks for no gate


def edit(project: Project, path: str) -> None:
    """Add a line to a file of the project's own code; the tests run the work tree's."""
    file = project.folder / path
    file.write_text(file.read_text() + "# edited\n")


def ran(said: str) -> list[str]:
    return re.findall(r"Running stage '(.+)'", said)


def test_edits_that_no_stage_can_reach_run_none(finished: Project) -> None:
    for path in ("stages/guard", "stages/launch", "errors", "learning/progress", "value_faults",
                 "systems/pills/tasks/classifier", "learning/vision/losses"):  # fmt: skip
        edit(finished, f"src/assay/{path}.py")
    assert ran(finished.dvc("repro")) == ["code@hemoglobin"]
    assert "up to date" in finished.dvc("status")


def test_an_edit_runs_what_can_reach_it(finished: Project) -> None:
    edit(finished, "src/assay/systems/hemoglobin/tasks/picture.py")
    assert ran(finished.dvc("repro")) == ["code@hemoglobin", f"evaluate@{TASK}"]


def test_what_is_no_module_counts_where_it_is_read(finished: Project) -> None:
    edit(finished, "src/assay/pages/templates/gate.html.j2")
    said = ran(finished.dvc("repro"))
    assert said == ["code@hemoglobin", f"validate@{DATA}", f"leakage@{DATA}"]


def test_another_object_under_a_tasks_name_runs_it(finished: Project) -> None:
    """The table is no part of any stage's code, but what it says of the stage's own item is."""
    table = finished.folder / "src/assay/systems/hemoglobin/tasks/__init__.py"
    table.write_text(table.read_text().replace("single:CONJUNCTIVA", "single:NAIL"))
    said = finished.run("dvc", "repro", "-s", "-f", f"train@{TASK}", fails=True)
    assert (
        f"{TASK}: is tasks.single:NAIL; code/hemoglobin/train@{TASK}.json has tasks.single:" in said
    )
    finished.run("dvc", "repro", "code@hemoglobin")
    assert f"train@{TASK}" in finished.run("dvc", "status")


def test_a_package_that_held_nothing_does_not_begin_to(finished: Project) -> None:
    edit(finished, "src/assay/learning/__init__.py")  # a comment is nothing
    file = finished.folder / "src/assay/learning/__init__.py"
    finished.dvc("repro", "-f", "-s", f"train@{TASK}")
    file.write_text(file.read_text() + "SEED = 1\n")
    said = finished.dvc("repro", "-f", "-s", f"train@{TASK}", fails=True)
    assert "error: src/assay/learning/__init__.py: is not as when" in said
    assert f"train@{TASK}" in ran(finished.dvc("repro"))


def test_a_relative_import_is_refused_with_its_line(finished: Project) -> None:
    file = finished.folder / "src/assay/manifest/parts.py"
    file.write_text(file.read_text() + "from . import layout\n")
    said = finished.dvc("repro", fails=True)
    assert re.search(r"error: src/assay/manifest/parts.py, line \d+: a relative import", said)


def test_a_pin_runs_what_imports_it(finished: Project) -> None:
    lock = finished.folder / "requirements.lock"
    text = lock.read_text()
    lock.write_text(re.sub(r"(?m)^optuna==\S+", "optuna==0.0.1", text))
    assert ran(finished.dvc("repro")) == ["code@hemoglobin"]
    lock.write_text(re.sub(r"(?m)^great-expectations==\S+", "great-expectations==0.0.1", text))
    assert ran(finished.dvc("repro", f"validate@{DATA}")) == ["code@hemoglobin", f"validate@{DATA}"]


def test_a_stage_alone_does_not_run_edited_code_under_the_old_digest(finished: Project) -> None:
    edit(finished, "src/assay/manifest/folds.py")
    before = (finished.folder / "dvc.lock").read_bytes()
    said = finished.dvc("repro", "-f", "-s", SPLIT, fails=True)
    assert f"error: src/assay/manifest/folds.py: is not as when {FILE} was written" in said
    assert (finished.folder / "dvc.lock").read_bytes() == before
    mend = re.search(r"mend: (dvc .+)", said)
    assert mend
    assert SPLIT in ran(finished.typed(mend[1]))


def test_a_stage_alone_does_not_run_under_another_version(finished: Project) -> None:
    lock = finished.folder / "requirements.lock"
    lock.write_text(re.sub(r"(?m)^polars==\S+", "polars==0.0.1", lock.read_text()))
    said = finished.dvc("repro", "-f", "-s", SPLIT, fails=True)
    assert "error: requirements.lock · polars: 0.0.1" in said
    assert f"mend: dvc repro -f code@hemoglobin && dvc repro {SPLIT}" in said


def test_a_stage_whose_code_nobody_wrote_down_says_how_to(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (finished.folder / FILE).unlink()
    monkeypatch.chdir(finished.folder)
    for text in ("{", "[]", "{}"):
        Path(f"{FILE}.part").write_text(text)
        Path(f"{FILE}.part").replace(FILE)  # the other one is DVC's own
        with pytest.raises(AssayError, match=r"not what `code` writes|not JSON: "):
            Declared.read(SPLIT)
    Path(FILE).unlink()
    with pytest.raises(
        AssayError,
        match=rf"{FILE}: no such file\n.*\n.*mend: dvc repro -f code@hemoglobin && dvc repro {SPLIT}",
    ):
        Declared.read(SPLIT)
    finished.dvc("repro", SPLIT)
    assert Declared.read(SPLIT).modules


def during(project: Project, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> str:
    """Let a stage do something after its work; return what DVC says."""
    whole: Callable[[Stage], None] = split.main

    def main(stage: Stage) -> None:
        whole(stage)
        act()

    monkeypatch.setattr(split, "main", main)
    before = (project.folder / "dvc.lock").read_bytes()
    said = project.dvc("repro", "-f", "-s", SPLIT, fails=True)
    assert (project.folder / "dvc.lock").read_bytes() == before
    return said


def test_an_edit_while_a_stage_runs_is_seen_at_its_end(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = during(finished, monkeypatch, lambda: edit(finished, "src/assay/manifest/split.py"))
    assert f"src/assay/manifest/split.py: is not as when {FILE} was written" in said


def test_an_import_that_nobody_declared_is_refused(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, STRANGE, raising=False)
    said = during(finished, monkeypatch, lambda: importlib.import_module(STRANGE))
    assert f"error: {STRANGE}: imported, not declared: {FILE} does not hold it" in said
    assert importlib.import_module(STRANGE)  # afterwards, and here, it is nobody's concern


def strange(_: int) -> str:
    return importlib.import_module(STRANGE).__name__


def test_nor_in_a_process_of_the_stage(finished: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished.folder)
    declared = Declared.read(f"similar@{DATA}")
    assert list(over_cores(strange, range(8), 2)) == [STRANGE] * 8
    with declared.enforced(), pytest.raises(AssayError, match="imported, not declared"):
        list(over_cores(strange, range(8), 2))


def test_a_process_that_came_with_more_than_was_declared_is_refused(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.folder)
    monkeypatch.setenv(TOLD, SPLIT)
    with pytest.raises(AssayError, match="imported, not declared"):
        heed()  # this process has imported nearly everything


@pytest.mark.dvc
def test_the_same_in_processes_of_their_own(finished: Project) -> None:
    """A module asked for by a text put together, and a file edited by the very stage that runs it."""
    stage = finished.folder / "src/assay/stages/split.py"
    text = stage.read_text()
    for planted, said in (
        ('__import__("assay.gates." + "verdict")', "assay.gates: imported, not declared"),
        ('open("src/assay/manifest/folds.py", "a").write("#")', "is not as when"),
        ('__import__("assay.nowhere")', "No module named 'assay.nowhere'"),
    ):
        start = "def main(stage: Stage) -> None:\n"
        stage.write_text(text.replace(start, f"{start}    {planted}\n", 1))
        told = finished.run("dvc", "repro", SPLIT, fails=True)
        assert said in told
        assert "Traceback" not in told or "nowhere" in said  # that one is Python's own
    early = 'import importlib\nimportlib.import_module("assay.gates.verdict")\n'
    stage.write_text(
        text.replace(
            "from __future__ import annotations\n",
            f"from __future__ import annotations\n{early}",
            1,
        )
    )
    told = finished.run("dvc", "repro", SPLIT, fails=True)
    assert f"{STRANGE}: imported, not declared" in told or "assay.gates: imported, not" in told
    stage.write_text(text)
    finished.run("git", "checkout", "--", "src/assay/manifest/folds.py")
    said = finished.run("dvc", "repro")
    assert ran(said) == []
    assert "Stage 'code@hemoglobin' is cached - skipping run" in said
