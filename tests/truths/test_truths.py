"""What is true of the repository as text: read, not run; about a second for all."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
DOOR = {"promote", "seal"}  # these are read when a model is promoted
UNDECLARED = DOOR | {"runtime"}  # which changes no output
# What the learning core may import: torch, lightning, timm, torchmetrics, numpy, and what timm brings.
CORE = {"torch", "lightning", "timm", "torchmetrics", "numpy"}
CORE |= {"torchvision", "safetensors", "huggingface_hub"}
DETECTOR = "yolo.py"  # the one file that knows ultralytics, and OpenCV through it


@cache
def pipeline() -> dict[str, dict[str, Any]]:
    """Return every stage of dvc.yaml, its items put in, by name."""
    content = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())
    tables = content["vars"][0]
    stages = {}
    for name, stage in content["stages"].items():
        table = tables[stage["foreach"].strip("${}")]
        for key, item in (
            table.items() if isinstance(table, dict) else zip(table, table, strict=True)
        ):
            parts = item.items() if isinstance(item, dict) else ()
            filled = {"key": key, "item": key, **{f"item.{part}": value for part, value in parts}}
            stages[f"{name}@{key}"] = fill(stage["do"], filled)
    return stages


def fill(content: Any, values: dict[str, str]) -> Any:
    if isinstance(content, str):
        return re.sub(r"\$\{([^}]+)\}", lambda found: values[found[1]], content)
    if isinstance(content, list):
        return [fill(each, values) for each in content]
    return {fill(key, values): fill(value, values) for key, value in content.items()}


@cache
def params() -> dict[str, Any]:
    return YAML(typ="safe").load((ROOT / "params.yaml").read_text())


def leaves(content: Any, path: str = "") -> Iterator[str]:
    if not isinstance(content, dict):
        yield path
        return
    for key, value in content.items():
        yield from leaves(value, f"{path}.{key}" if path else key)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_file(name: str) -> Path | None:
    path = SRC / Path(*name.split("."))
    for found in (path.with_suffix(".py"), path / "__init__.py"):
        if found.exists():
            return found
    return None


def imports(path: Path) -> set[str]:
    """Return every module that a file imports, also inside functions, but not for types alone."""
    found: set[str] = set()
    typing_only = {
        id(node)
        for block in ast.walk(tree(path))
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree(path)):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def closure(start: Path) -> set[Path]:
    seen, waiting = set(), [start]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        waiting += [
            file for name in imports(path) if name.startswith("assay")
            if (file := module_file(name)) is not None
        ]  # fmt: skip
    return seen


def test_declared_params_exist() -> None:
    known = set(leaves(params()))
    for stage, content in pipeline().items():
        for declared in content.get("params", []):
            exists = any(leaf == declared or leaf.startswith(f"{declared}.") for leaf in known)
            assert exists, f"{stage} declares {declared}, which params.yaml does not have"


def test_what_declares_a_training_declares_its_machine() -> None:
    declared = {stage: content.get("params", []) for stage, content in pipeline().items()}
    trained = {
        stage for stage, paths in declared.items() if any(p.endswith(".train") for p in paths)
    }
    assert {name.partition("@")[0] for name in trained} == {"train", "evaluate"}
    assert trained == {stage for stage, paths in declared.items() if "machine" in paths}


def test_every_parameter_is_declared_and_used() -> None:
    declared = [path for content in pipeline().values() for path in content.get("params", [])]
    words = {
        word
        for path in SRC.rglob("*.py")
        for node in ast.walk(tree(path))
        for word in (
            [node.attr] if isinstance(node, ast.Attribute)
            else re.findall(r"\w+", node.value)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value
            else []
        )
    }  # fmt: skip
    for leaf in leaves(params()):
        if not UNDECLARED & set(leaf.split(".")):
            assert any(leaf == path or leaf.startswith(f"{path}.") for path in declared), (
                f"no stage declares {leaf}"
            )
        assert leaf.rsplit(".", 1)[-1] in words, f"nothing reads {leaf}"


def test_every_knob_is_commented() -> None:
    for file in ("params.yaml", "search.yaml"):
        for line in (ROOT / file).read_text().splitlines():
            is_value = re.match(r"\s+\w+:\s*[^\s#]", line)
            assert not is_value or " # " in line, f"{file}: {line}"


def test_no_two_plots_have_one_name_in_dvcs_pages() -> None:
    """DVC writes `<rev>_<path>` with every `/` as `_`, and ids of its pages with every `.` as well."""
    plots = [
        path if isinstance(path, str) else next(iter(path))
        for content in pipeline().values() for path in content.get("plots", [])
    ]  # fmt: skip
    assert may_clash(plots) == []
    assert may_clash(["reports/a/pictures", "reports/a_pictures"])  # x.png of both is one file
    assert may_clash(["reports/a.b/pictures", "reports/a_b/pictures"])
    assert may_clash(["reports/a/pictures", "reports/a/pictures_more"])  # more_x.png and x.png


def may_clash(plots: list[str]) -> list[tuple[str, str]]:
    """Return the plots, files or folders, whose flattened names begin alike."""
    flat = [re.sub(r"[/.]", "_", path) + "_" for path in plots]
    return [
        (plots[one], plots[other])
        for one, name in enumerate(flat) for other, more in enumerate(flat)
        if one != other and more.startswith(name)
    ]  # fmt: skip


def test_no_shell_stands_between_dvc_and_a_stage() -> None:
    """A stage dies with its parent; a shell between them would outlive dvc, and the stage with it."""
    for name, stage in pipeline().items():
        start = "exec env PYTHONPATH=src python -m assay.stages "
        assert stage["cmd"] == start + name.partition("@")[0], name


def test_folders_below_assay_are_named_in_one_place() -> None:
    named = {
        str(path.relative_to(SRC / "assay"))
        for path in (SRC / "assay").rglob("*.py")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and re.match(r"\.assay(/\S*)?$", str(node.value))
    }
    assert named == {"runs/places.py"}


def test_the_platform_never_names_a_system() -> None:
    names = [folder.name for folder in (SRC / "assay" / "systems").iterdir() if folder.is_dir()]
    for path in (SRC / "assay").rglob("*.py"):
        if "systems" in path.parts:
            continue
        strings = (
            node.value for node in ast.walk(tree(path))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )  # fmt: skip
        code = [text for text in strings if " " not in text]
        for name in names:
            assert not any(name in text for text in code), f"{path} names {name}"


def test_only_the_allowed_rooms_name_the_sealed_files() -> None:
    allowed = {"manifest/layout.py", "registry/seal.py", "stages/split.py"}
    for path in (SRC / "assay").rglob("*.py"):
        for node in ast.walk(tree(path)):
            named = isinstance(node, ast.Attribute) and node.attr.startswith("sealed")
            spelt = isinstance(node, ast.Constant) and node.value in ("test.parquet", "test.npy")
            if named or spelt:
                place = str(path.relative_to(SRC / "assay"))
                assert place in allowed, (
                    f"{place} line {node.lineno} reaches for the sealed test set"
                )


def test_training_and_evaluation_do_not_depend_on_the_sealed_files() -> None:
    reach = ("test.parquet", "test.npy", "manifest.parquet", "splits.parquet")
    for stage, content in pipeline().items():
        if stage.startswith(("train@", "evaluate@")):
            assert not [dep for dep in content["deps"] if dep.endswith(reach)], stage


def test_the_learning_core_imports_with_few_libraries() -> None:
    files = [*(SRC / "assay" / "learning").rglob("*.py")]
    files += (SRC / "assay" / "systems").glob("*/tasks/*_model.py")
    for path in {file for start in files for file in closure(start)}:
        for name in imports(path):
            top = name.split(".")[0]
            known = top in CORE or top == "assay" or top in sys.stdlib_module_names
            known |= path.name == DETECTOR and top in ("ultralytics", "cv2", "PIL")
            assert known, f"{path.relative_to(SRC)} imports {name}"


def test_ultralytics_is_imported_in_one_place() -> None:
    """It is AGPL-3.0, and its import writes and calls: see there."""
    found = [path.name for path in (SRC / "assay").rglob("*.py")
             if any(name.split(".")[0] == "ultralytics" for name in imports(path))]  # fmt: skip
    assert found == [DETECTOR]


def test_the_verbs_import_nothing_heavy() -> None:
    code = (
        "import sys, pkgutil, importlib, assay.__main__, assay.commands as verbs\n"
        "for each in pkgutil.iter_modules(verbs.__path__):"
        " importlib.import_module(f'assay.commands.{each.name}')\n"
        "print([name for name in"
        " 'torch lightning mlflow pandas polars numpy sklearn great_expectations dvc timm'.split()"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_systems_import_nothing_heavy() -> None:
    code = (
        "import sys; from assay.lookup import all_systems, all_tasks; all_systems(); all_tasks()\n"
        "print([name for name in 'torch lightning mlflow great_expectations dvc timm'.split()"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_rooms_are_small() -> None:
    for path in (*SRC.rglob("*.py"), *(ROOT / "tests").rglob("*.py")):
        assert len(path.read_text().splitlines()) <= 400, path
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno <= 60, f"{path}:{node.lineno}"


def test_no_lock_names_a_host() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        assert "://" not in (ROOT / lock).read_text(), lock


def test_the_gates_know_no_kind_of_targets() -> None:
    """They ask a plan's targets; a system may bring a kind that they have never heard of."""
    kinds = {
        name
        for path in (SRC / "assay" / "learning" / "targets").glob("*.py")
        for node in tree(path).body
        if isinstance(node, ast.ClassDef) and any("Target" in ast.dump(base) for base in node.bases)
        for name in [node.name]
    }
    assert {"Values", "Classes", "Points", "Joint"} <= kinds
    for path in (SRC / "assay" / "gates").rglob("*.py"):
        named = {
            name
            for node in ast.walk(tree(path))
            for name in (
                [node.id] if isinstance(node, ast.Name)
                else [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom)
                else [node.attr] if isinstance(node, ast.Attribute)
                else []
            )
        }  # fmt: skip
        assert not named & kinds, f"{path} names {named & kinds}"
