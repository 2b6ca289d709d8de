"""Run the stages that changed, independent branches of the pipeline side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("targets", nargs=-1)
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1), default=None,
    help="branches at a time; default: this machine's cores",
)  # fmt: skip
@click.option("-k", "--keep-going", is_flag=True, help="after a failure: run what does not need it")
def command(targets: tuple[str, ...], jobs: int | None, keep_going: bool) -> None:
    """Run what changed of TARGETS (stages or groups of stages; default: all), branches side by side.

    Each branch is a real `dvc repro`, and the bytes are those of a serial one: `machine.threads` is a
    parameter of its own. What params.yaml holds for TARGETS, the whole of it where there are none, is
    checked first. The output of each branch is kept in .assay/repro. After a failure, Ctrl-C or a kill
    the same command goes on.
    """
    from assay.errors import AssayError
    from assay.params import read_all
    from assay.repro.plan import ReproPlan, plan_repro
    from assay.repro.run import run_plan
    from assay.runs.console import make_console
    from assay.runs.cores import available_cores
    from assay.runs.lock import held
    from assay.runs.places import named_lock
    from assay.runs.root import find_root

    root = find_root(Path.cwd())
    os.chdir(root)
    content, console = read_all(root), make_console()
    with held(named_lock(root, "repro"), "assay repro runs already in this folder; waiting"):
        plan = plan_repro(root, targets)
        if plan.branches:
            _check(content, plan.stages if targets else ())
        if plan.code:  # first, so that a stage which an edit does not reach costs nothing
            first = ReproPlan(plan.stages, plan.code, ())
            with suppress(AssayError) if keep_going else nullcontext():
                run_plan(first, root, jobs or available_cores(), keep_going, console)
            plan = plan_repro(root, targets)
        run_plan(plan, root, jobs or available_cores(), keep_going, console)


def _check(content: Mapping[str, Any], stages: Iterable[str]) -> None:
    """Check the whole of `params.yaml`, or what it holds for the stages of a narrower wish.

    So whoever leaves a broken system out is not stopped by it.
    """
    from assay.params_check import check_content
    from assay.repro.plan import CODE
    from assay.section_check import check_own

    if not stages:
        check_content(content)
    parts = [name.partition("@") for name in stages]
    for item in sorted({item for stage, _, item in parts if item and stage != CODE}):
        check_own(content, item)
