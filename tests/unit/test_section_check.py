"""A stage checks its own sections: what is broken in one system stops nobody else."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import assay.systems
from assay.errors import AssayError, ParamsError
from assay.params import read_params
from assay.params_check import all_sections, check_content
from assay.section_check import check_own

ROOT = Path(__file__).parents[2]
TASK, DATA = "hemoglobin-conjunctiva", "hemoglobin.conjunctiva"
BROKEN = "def f():\n    return 1 / 0\n\n\nf()\n"


@pytest.fixture
def content() -> dict[str, Any]:
    return copy.deepcopy(read_params(ROOT / "params.yaml"))


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Plant a system whose code raises when it is imported."""
    data = tmp_path / "planted" / "data"
    data.mkdir(parents=True)
    (tmp_path / "planted" / "__init__.py").touch()
    (data / "__init__.py").write_text(BROKEN)
    monkeypatch.setattr(assay.systems, "__path__", [*assay.systems.__path__, str(tmp_path)])
    yield data / "__init__.py"
    for name in [name for name in sys.modules if name.startswith("assay.systems.planted")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", [TASK, DATA, "pills", "pills.masks", "pills-combo"])
def test_a_broken_system_does_not_stop_the_others(
    content: dict[str, Any], broken: Path, name: str
) -> None:
    check_own(content, name)
    with pytest.raises(AssayError):
        all_sections()  # the whole-file check does meet it


def test_a_broken_systems_own_stage_names_the_line_that_raised(
    content: dict[str, Any], broken: Path
) -> None:
    with pytest.raises(AssayError) as caught:
        check_own(content, "planted")
    text = caught.value.render()
    assert f"error: {broken}, line 2: ZeroDivisionError: division by zero" in text
    assert "import assay.systems.planted.data" in text


def test_a_misspelt_import_and_bad_syntax_are_told_as_well(
    content: dict[str, Any], broken: Path
) -> None:
    broken.write_text("import nosuchmodule\n")
    with pytest.raises(AssayError, match=r"line 1: ModuleNotFoundError: .*nosuchmodule"):
        check_own(content, "planted")
    broken.write_text("x = 1\ny = = 2\n")
    with pytest.raises(AssayError, match=rf"{broken}, line 2: SyntaxError"):
        check_own(content, "planted")


def test_the_command_that_is_told_shows_the_way_to_the_fault(tmp_path: Path) -> None:
    """On a copy of the package, as it stands there: `PYTHONPATH=src python -c 'import …'`."""
    folder = tmp_path / "src" / "assay" / "systems" / "planted" / "data"
    folder.mkdir(parents=True)
    for package in (folder, folder.parent, folder.parents[1], folder.parents[2]):
        (package / "__init__.py").touch()
    (folder / "__init__.py").write_text(BROKEN)
    done = subprocess.run(
        [sys.executable, "-c", "import assay.systems.planted.data"], cwd=tmp_path,
        env={"PYTHONPATH": "src"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "line 2, in f" in done.stderr


def test_an_ill_typed_section_stops_its_own_stages_alone(content: dict[str, Any]) -> None:
    content["spectra-bayer"]["train"]["epochs"] = "ten"
    content["spectra"]["nonsense"] = 1
    content["nobody"] = {}
    for name in (TASK, DATA, "pills-combo"):
        check_own(content, name)
    with pytest.raises(ParamsError, match=r"-S 'spectra-bayer\.train\.epochs=…'"):
        check_own(content, "spectra-bayer")
    with pytest.raises(ParamsError, match=r"spectra\.nonsense: unknown key"):
        check_own(content, "spectra")
    with pytest.raises(ParamsError):
        check_content(content)


def test_a_task_is_checked_against_its_data(content: dict[str, Any]) -> None:
    content[TASK]["train"]["fold"] = 9
    check_own(content, DATA)
    with pytest.raises(ParamsError, match=r"fold 9, but .*folds is"):
        check_own(content, TASK)


def test_a_tasks_data_section_counts_and_other_tasks_do_not(content: dict[str, Any]) -> None:
    content["hemoglobin"]["conjunctiva"]["split"]["test"] = 0.9
    check_own(content, "hemoglobin-nail")
    with pytest.raises(ParamsError, match=r"hemoglobin\.conjunctiva\.split: combination"):
        check_own(content, TASK)


def test_a_misspelt_section_of_its_own_is_named_with_its_neighbour(content: dict[str, Any]) -> None:
    content["hemoglobin-conjuctiva"] = content.pop(TASK)
    with pytest.raises(ParamsError, match=r"the file has hemoglobin-conjuctiva"):
        check_own(content, TASK)


@pytest.mark.parametrize("name", ["nobody", "hemoglobin.nobody", "hemoglobin-nobody"])
def test_an_unknown_name_is_refused(content: dict[str, Any], name: str) -> None:
    with pytest.raises(AssayError, match=r"no such (system|task)"):
        check_own(content, name)
