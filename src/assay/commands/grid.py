"""Have the trainings of a grid done, ahead of the stage that makes one model of them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assay.sections.machine import Runtime

AUTO = "auto"


def _count(context: click.Context, option: click.Parameter, value: str | None) -> int | str | None:
    """Return a number of trainings, or `auto`; click's callback."""
    if value is None or value == AUTO:
        return value
    if value.isdecimal() and int(value):
        return int(value)
    raise click.BadParameter(f"{value!r} is no number from 1, and not {AUTO}", context, option)


@click.command()
@click.argument("task")
@click.option("--start", type=int, default=0, show_default=True, help="first pair of networks")
@click.option("--end", type=int, help="first pair that is left out; all that there are otherwise")
@click.option("--phase", type=int, help="trainings of this phase alone")
@click.option("--fast-dev", is_flag=True, help="one epoch of each configuration; nothing is kept")
@click.option(
    "--n-jobs", callback=_count, metavar="N|auto", help="side by side; else as runtime.n_jobs says"
)
@click.option(
    "--executor", type=click.Choice(["local", "ray"]), help="else as runtime.executor says"
)
def command(
    task: str, start: int, end: int | None, phase: int | None, fast_dev: bool,
    n_jobs: int | str | None, executor: str | None,
) -> None:  # fmt: skip
    """Train the grid of TASK, or the pairs [start, end) of it; `dvc repro` then only collects.

    Pairs are counted in the order of the grid: of two lists of networks, all of the second with each of
    the first. Each training is done once, by whoever comes first: this verb here or in another
    terminal, on other pairs or the same, and `dvc repro` beside it. After Ctrl-C or a kill the same
    command goes on. Names of the trainings, and how far they are: assay jobs.
    """
    from assay.code.declared import Declared
    from assay.contract.grid import SupportsGrid
    from assay.errors import AssayError
    from assay.jobs.grid_ahead import GridPart, narrowed
    from assay.lookup import find_task
    from assay.params import read_all
    from assay.params_check import check_content
    from assay.runs.root import find_root
    from assay.search.inputs import training_inputs
    from assay.values import on_machine

    found, root = find_task(task), find_root(Path.cwd())
    if not isinstance(found, SupportsGrid):
        raise AssayError(
            f"assay grid {task}", "it is one training, and no grid of them", "a task that is a grid",
            f"dvc repro train@{task}, or of several values assay sweep {task} <key> <values>",
        )  # fmt: skip
    content = read_all(root)
    check_content(content)
    section = on_machine(content[task], content)
    sections = narrowed(found, section, start, end, phase)  # told before DVC is asked
    runtime = _runtime(content, n_jobs, executor)
    with contextlib.chdir(root):
        inputs = training_inputs(root, found)
        code = Declared.read(f"train@{task}")
        code.ensure_same()
        part = GridPart(found, root, sections, inputs, runtime)
        if fast_dev:
            for line in part.rehearse():
                click.echo(line)
            click.echo(f"{len(sections)} configurations: one epoch of each went well, none is kept")
        else:
            click.echo(
                f"{part.train()} trainings are done; one model of them: dvc repro train@{task}"
            )
        code.ensure_same()


def _runtime(content: Mapping[str, Any], n_jobs: int | str | None, executor: str | None) -> Runtime:
    """Return the section `runtime` with what was asked instead."""
    from assay.sections.machine import RUNTIME, Runtime
    from assay.values import typed

    asked = {"n_jobs": n_jobs, "executor": executor}
    given = {name: value for name, value in asked.items() if value is not None}
    return typed(content, RUNTIME, Runtime).model_copy(update=given)
