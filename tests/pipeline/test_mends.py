"""What a gate prints as the way out is carried out, and the message is gone; each mend can be typed."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import click
import polars as pl
import pytest
from dvc.cli.parser import get_main_parser
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML
from tests.conftest import DATA, ROOT, Project
from tests.pipeline.test_copies import write_set

from assay.__main__ import cli
from assay.gates.labels import judge_labels
from assay.lookup import find_system
from assay.params import read_all
from assay.tracking.comparison import ensure_known

LABELS, LEAKAGE = "labels", "leakage"
STAGES = {LABELS: "validate", LEAKAGE: "leakage"}
Plant = Callable[[Project], dict[str, Any]]


def phantom(**faults: int) -> Plant:
    return lambda project: {f"{DATA}.phantom.{name}": count for name, count in faults.items()}


def copies(project: Project) -> dict[str, Any]:
    write_set(project.folder.parent / "set")
    source = {f"{DATA}.source": str(project.folder.parent / "set")}
    return {**source, f"{DATA}.similar.n_neighbors": 5}


# check → the gate, and what is planted: a policy's mend joins by a line.
PLANTS: dict[str, tuple[str, Plant]] = {
    "broken": (LABELS, phantom(broken=7)),
    "identical images": (LABELS, phantom(conflicts=4)),
    "similar images": (LEAKAGE, copies),
}


def settings(mend: str) -> list[str]:
    """Return what a printed line hands to `dvc exp run -S`."""
    words = shlex.split(mend[mend.index("dvc exp run") :].replace(";", " ;"))
    return [value for word, value in pairwise(words) if word == "-S"]


def checks(project: Project, gate: str) -> dict[str, dict[str, Any]]:
    verdict = project.json(f"reports/{DATA}/{gate}.json")
    return {check["name"]: check for check in verdict["checks"]}


@pytest.mark.parametrize("name", PLANTS)
def test_a_gate_passes_after_what_it_prints(fresh: Project, name: str) -> None:
    gate, plant = PLANTS[name]
    fresh.set(**plant(fresh))
    said = fresh.dvc("repro", f"{STAGES[gate]}@{DATA}", fails=True)
    before = checks(fresh, gate)[name]
    assert not before["passed"]
    assert before["mend"] in said
    asked = settings(before["mend"])
    assert asked
    ensure_known(fresh.folder, asked)
    apply_overrides(fresh.folder / "params.yaml", asked)
    fresh.dvc("repro", f"{STAGES[gate]}@{DATA}")
    assert checks(fresh, gate)[name]["passed"]


@pytest.mark.parametrize(
    ("broken", "rows"), [(1, 3), (2, 3), (1, 7), (125, 1000), (1, 4001), (3, 3)]
)
def test_the_printed_share_lets_the_broken_rows_pass(broken: int, rows: int) -> None:
    table = pl.DataFrame({
        "sample_id": [f"s{i}" for i in range(rows)], "uri": "s.png", "item": 0, "group": "g",
        "group_id": [f"g{i}" for i in range(rows)], "subset": "one", "format": "PNG",
        "digest": [f"d{i}" for i in range(rows)], "hb": 9.5,
        "status": ["broken"] * broken + ["ok"] * (rows - broken), "reason": "zero bytes",
    })  # fmt: skip

    def judged(share: float) -> Any:
        return judge_labels(table, "hb", find_system(DATA).rules(), "stop", share, DATA)[0]

    refused = judged(0.0)
    assert not refused.passed
    assert judged(float(settings(refused.mend)[0].partition("=")[2])).passed


# --- every mend of the source, as it is written


def texts() -> Iterator[tuple[str, str]]:
    """Yield every string of the source with its file; what is put in stands as `…`."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(path.read_text())
        inside = {
            id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
            for part in node.values
        }  # fmt: skip
        documented = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
        }  # fmt: skip
        for node in ast.walk(tree):
            if id(node) in documented or id(node) in inside:
                continue
            if isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
                yield str(path.relative_to(ROOT)), "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield str(path.relative_to(ROOT)), node.value


COMMAND = re.compile(r"(?<![\w./'-])(assay|dvc) ([a-z]+)((?: [^;,()`|&]+)?)")


def commands() -> list[tuple[str, str, str, str]]:
    """Return file, program, verb and the rest of every command that the source can print."""
    return [
        (file, *found.groups())
        for file, text in texts()
        if "\n" not in text
        for found in COMMAND.finditer(text)
    ]


PROSE = {"assay wrote", "assay is", "dvc works", "dvc that", "dvc runs"}


def test_each_printed_verb_stage_and_option_exists() -> None:
    [verbs] = [each for each in get_main_parser()._subparsers._actions if each.dest == "cmd"]
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    known = {name.partition("@")[0] for name in stages}
    wrong = []
    seen = 0
    for file, program, verb, rest in commands():
        if f"{program} {verb}" in PROSE:
            continue
        seen += 1
        said = f"{file}: {program} {verb}{rest}"
        if program == "dvc":
            if verb not in verbs.choices:
                wrong.append(f"{said}: no such command of DVC")
            strange = {
                word.partition("@")[0] for word in rest.split() if re.match(r"[a-z]+@", word)
            }
            wrong += [f"{said}: no stage {name}" for name in strange - known]
            continue
        found = cli.get_command(click.Context(cli), verb)
        if found is None:
            wrong.append(f"{said}: no such verb")
            continue
        options = {name for each in found.params for name in each.opts}
        given = {word for word in rest.split() if re.fullmatch(r"--?[a-z][a-z-]*", word)}
        wrong += [f"{said}: no option {name}" for name in given - options]
    assert seen > 60
    assert not wrong, "\n".join(wrong)


def test_each_printed_key_stands_in_params() -> None:
    content = read_all(ROOT)
    named = dict(_sections(content))
    wrong, seen = [], 0
    for file, text in texts():
        for section, key in re.findall(r"-S '?(<\w+>|…|[\w-]+)\.([\w.-]+)=", text):
            seen += 1
            places = [named.get(section, {})] if section in named else list(named.values())
            if not any(_stands(place, key) for place in places):
                wrong.append(f"{file}: {section}.{key}")
    assert seen > 15
    assert not wrong, "\n".join(wrong)


def _sections(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, section in content.items():
        yield name, section
        for part, each in section.items():
            if isinstance(each, dict) and "source" in each:
                yield f"{name}.{part}", each


def _stands(content: Any, key: str) -> bool:
    for word in key.split("."):
        if not isinstance(content, dict) or word not in content:
            return False
        content = content[word]
    return True
