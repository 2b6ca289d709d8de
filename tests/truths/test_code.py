"""What a stage's code is taken to be, of the repository as it stands: what an edit costs, and no more."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.truths.test_truths import ROOT, SRC, closure, imports, pipeline

from assay.code.distributions import NAMES, pins, plain
from assay.code.left_out import LEFT_OUT
from assay.code.parsed import PLAIN, base_name
from assay.code.source import SourceTree
from assay.code.write import STAGES, code_file, stage_code
from assay.lookup import names, places_in, system_folders

TOY = "toy"  # stands outside the package
SHIPPED = {"ceph", "hemoglobin", "pills", "spectra"}  # whose stages the ceilings below count


@cache
def written() -> dict[str, dict[str, Any]]:
    """Return stage → what its file of code holds."""
    source = SourceTree(SRC)
    return {
        f"{stage}@{item}": stage_code(source, stage, item, room, table)
        for system in system_folders() if system != TOY
        for (room, table), stages in STAGES.items()
        for item in places_in(system, room, table)
        for stage in stages
    }  # fmt: skip


def stale(module: str) -> tuple[int, int]:
    """Return how many stages, and trainings among them, a change in a module makes stale directly."""
    found = [stage for stage, code in written().items() if module in code["modules"]]
    found = [stage for stage in found if code_file(stage).parent.name in SHIPPED]
    return len(found), sum(stage.startswith("train@") for stage in found)


@pytest.mark.parametrize(
    ("module", "stages", "trainings"),
    [
        ("assay.stages.guard", 0, 0), ("assay.stages.launch", 0, 0), ("assay.params_check", 0, 0),
        ("assay.runs.lock", 0, 0), ("assay.runs.git", 0, 0), ("assay.lookup", 0, 0),
        ("assay.errors", 0, 0), ("assay.params", 0, 0),
        ("assay.value_faults", 0, 0), ("assay.contract.task", 0, 0), ("assay.tracking.known", 0, 0),
        ("assay.learning.progress", 0, 0), ("assay.sections.study", 0, 0),
        ("assay.learning.summary", 10, 0), ("assay.learning.claims", 10, 0),
        ("assay.manifest.folds", 10, 0),
        ("assay.sections.data", 30, 0),
        ("assay.learning.scores", 6, 3), ("assay.learning.vision.losses", 7, 3),
        ("assay.systems.pills.learning.detection_scores", 3, 1),
        ("assay.systems.spectra.learning.cnn_gru", 2, 1),
        ("assay.systems.pills.tasks.classifier_picture", 1, 0),
        ("assay.systems.ceph.tasks.cvm_picture", 1, 0), ("assay.systems.pills.data.export", 0, 0),
        ("assay.gates.preflight_overfit", 8, 8),
    ],
)  # fmt: skip
def test_a_change_makes_no_more_stale(module: str, stages: int, trainings: int) -> None:
    assert SourceTree(SRC).file(module), f"{module} is no more"
    found = stale(module)
    print(f"a change in {module} makes {found[0]} stages stale, {found[1]} trainings among them")
    assert found <= (stages, trainings)
    assert found[1] <= trainings


# What writes a table or a verdict, and what knows a stored image: every stage does one of these.
PIXELS = {"blank", "colours", "images", "png", "signatures"}  # what a file's pixels are, if any
BY_ALL = {*PIXELS, "layout", "source", "storage", "table"}


def test_contract_and_sections_are_split_so_that_no_part_is_reached_by_all() -> None:
    by_all = {
        module for module in modules()
        if all(module in code["modules"] for code in written().values())
    }  # fmt: skip
    handed = {"assay.values", "assay.sections.section"}  # parameters, to every stage
    files = {"assay.runs.files", "assay.runs.places"}
    expected = {*files, *(f"assay.manifest.{name}" for name in BY_ALL), *handed}
    assert by_all == expected


def test_a_systems_code_is_reached_by_its_own_stages_alone() -> None:
    for module in modules():
        if module.startswith("assay.systems."):
            by = [stage for stage, code in written().items() if module in code["modules"]]
            assert {code_file(stage).parent.name for stage in by} == {module.split(".")[2]}, module


def test_templates_count_where_pages_are_written() -> None:
    for stage, code in written().items():
        has = any(name.endswith("gate.html.j2") for name in code["files"])
        assert has == stage.startswith(("validate@", "leakage@")), stage


def test_bases_that_call_no_method_behind_our_back_have_such_bases_alone() -> None:
    classes = [
        node for path in SRC.rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]  # fmt: skip
    own = {
        each.name: {base_name(base) for base in each.bases}
        for each in classes
        if each.name in PLAIN
    }
    assert {"BaseTask", "BaseSystem"} <= own.keys()
    assert all(bases <= PLAIN for bases in own.values())


def test_no_training_reaches_a_picture() -> None:
    drawn = [module for module in modules() if module.endswith(("picture", "drawing"))]
    assert drawn
    assert all(stale(module)[1] == 0 for module in drawn)


def modules() -> set[str]:
    return {module for code in written().values() for module in code["modules"]}


@pytest.mark.parametrize(
    "name", ["dvc", "mlflow-skinny", "optuna", "evidently", "uv", "sqlalchemy"]
)
def test_a_pin_that_no_stage_imports_makes_none_stale(name: str) -> None:
    assert name in pins()
    assert not [stage for stage, code in written().items() if name in code["distributions"]]


def test_asking_for_one_task_imports_no_sibling() -> None:
    code = (
        "import sys; from assay.lookup import find_system, find_task\n"
        "find_task('ceph-cvm'); find_task('pills-classifier'); find_system('pills')\n"
        "print([name for name in sys.modules if name.startswith('assay.systems')\n"
        "       and name.endswith(('landmarks', 'detector', 'segmentation', 'masks', 'single'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_each_stage_depends_on_its_own_code_and_no_other() -> None:
    for stage, content in pipeline().items():
        deps = [dep for dep in content["deps"] if dep.startswith(("code/", "src/", "requirements"))]
        if stage.startswith("code@"):
            assert deps == ["requirements.lock", "src/assay"]
            assert content["outs"] == [f"code/{stage.partition('@')[2]}"]
        else:
            assert deps == [str(code_file(stage))], stage


def test_the_pipeline_has_the_stages_whose_code_is_written() -> None:
    own = {stage for stage in pipeline() if not stage.startswith("code@")}
    assert own == set(written())
    assert {stage for stage in pipeline() if stage.startswith("code@")} == {
        f"code@{system}" for system in system_folders() if system != TOY
    }
    assert {item.partition("@")[2] for item in own} == {
        name for room, table in STAGES for name in names(room, table) if not name.startswith(TOY)
    }


def test_a_modules_distribution_has_the_name_that_is_looked_up() -> None:
    """Whatever the lock holds of what this package imports is found under the name that is asked for."""
    known = importlib.metadata.packages_distributions()
    tops = {name.partition(".")[0] for path in SRC.rglob("*.py") for name in imports(path)}
    for top in tops - set(sys.stdlib_module_names) - {"assay"}:
        pinned = {plain(each) for each in known.get(top, [])} & set(pins())
        assert not pinned or plain(NAMES.get(top, top)) in pinned, f"{top} comes from {pinned}"


def test_what_is_left_out_stands() -> None:
    for module in LEFT_OUT:
        assert SourceTree(SRC).file(module), module


def test_code_is_written_by_the_standard_library_alone() -> None:
    """It runs before anything is known of the environment but its guard's word."""
    for path in closure(SRC / "assay" / "stages" / "code.py"):
        foreign = {name.partition(".")[0] for name in imports(path)} - set(sys.stdlib_module_names)
        assert foreign <= {"assay"}, f"{path.relative_to(ROOT)} imports {foreign}"


def test_less_is_written_than_is_imported_at_any_time() -> None:
    """Names within functions are what makes it less; whatever a stage imports as a whole is in it."""
    source = SourceTree(Path(SRC))
    for stage, code in written().items():
        top = source.parsed(f"assay.stages.{stage.partition('@')[0]}")
        assert top
        for module in {name for name in top.own.imports if source.file(name)}:
            held = module in code["modules"] or module in LEFT_OUT
            assert held or source.file(module).name == "__init__.py", f"{stage}: {module}"
