"""Every founding entry point has its row in docs/hemoglobin.md, and each command there can be given."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import click
import pytest
from dvc.cli.parser import get_main_parser
from ruamel.yaml import YAML

from assay.__main__ import cli
from assay.lookup import names
from assay.params import read_params
from assay.values import descend

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/hemoglobin.md").read_text()
FOUNDING = (
    "train_single", "train_fusion_phase1", "train_fusion_phase2", "eval_single", "eval_fusion",
    "`ensemble`", "--num_gpus", "--backbone_start", "--backbone_end", "build_fusion_csv",
    "create_ensemble_config",
)  # fmt: skip
ROWS = PAGE.partition("## Founding entry points")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^    (?=assay |dvc )((?:.*\\\n)*.*)", PAGE, re.MULTILINE)
COMMANDS = [*BLOCKS, *re.findall(r"`((?:assay|dvc) [^`\s]+ [^`]+)`", PAGE)]


def words_of(line: str) -> list[str]:
    """Return program, verb and arguments; a list of backbones is one of them."""
    plain = re.sub(r"\$\([^)]*\)", "test_resnet", line.replace("\\\n", " "))
    return shlex.split(plain, comments=True)


@pytest.mark.parametrize("name", FOUNDING)
def test_each_has_its_row(name: str) -> None:
    assert any(name in line.split(" | ")[0] for line in ROWS.splitlines() if line.startswith("| "))


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: " ".join(words_of(line)[:3]))
def test_each_command_can_be_given(line: str) -> None:
    program, verb, *rest = words_of(line)
    content = read_params(ROOT / "params.yaml")
    pairs = pairwise(rest)
    settings = [word.partition("=")[0] for before, word in pairs if before == "-S"]
    assert all(descend(content, key.removeprefix("++").split(".")) is not None for key in settings)
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    named = {word for word in rest if re.fullmatch(r"[a-z]+@\S+", word)}
    assert {word.partition("@")[0] for word in named} <= set(stages)
    if program == "dvc":
        get_main_parser().parse_args([verb, *rest])
        return
    found = cli.get_command(click.Context(cli), verb)
    assert found, verb
    context = found.make_context(verb, rest)
    if "task" in context.params:
        assert context.params["task"] in names("tasks", "TASKS")
    if verb == "run":
        assert (ROOT / "recipes" / f"{context.params['recipe']}.yaml").exists()


def test_the_files_that_commands_read_are_there() -> None:
    read = re.findall(r"recipes/\S+?\.(?:txt|yaml)", PAGE)
    assert len(read) > 4
    assert all((ROOT / path).exists() for path in read)
