"""Print one line a task: value, interval, skill, what they rest on, time taken; or a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

if TYPE_CHECKING:
    from assay.contract import Task


@click.command()
@click.argument("task", required=False)
@click.option("--over", "key", metavar="KEY", help="compare TASK's results over this parameter")
def command(task: str | None, key: str | None) -> None:
    """Print the work tree's results, or compare.

    What several tasks say together has a line of its own, behind those of the tasks.

    With --over, for example model.backbone: every known result of TASK (commits, experiments, work
    tree), one row a value. Only those of the same data and otherwise equal parameters are ranked
    together.
    """
    from assay import contract
    from assay.runs.root import find_root

    root = find_root(Path.cwd())
    if key is None:
        known = contract.tasks()
        _print_lines(root, {task: contract.find_task(task)} if task else known, composed=not task)
        return
    if task is None:
        raise click.UsageError("--over compares one task's results: assay results <task> --over …")
    from assay.tracking.comparison import compare, ensure_known
    from assay.tracking.comparison_table import make_console, show

    found = contract.find_task(task)
    ensure_known(root, [f"{task}.{key}"])
    show(found, key, compare(root, found, key), make_console())


def _print_lines(root: Path, tasks: Mapping[str, Task], *, composed: bool) -> None:
    from assay.errors import AssayError
    from assay.runs.summary import summaries

    lines = summaries(root, tasks) + (_composed(root) if composed else [])
    if not lines:
        raise AssayError("results", "none in this work tree", mend="dvc repro")
    click.echo("\n".join(lines))


def _composed(root: Path) -> list[str]:
    """Return a line for each composition that has a result in the work tree."""
    from assay.composition import compositions, tasks_of
    from assay.runs.files import read_json
    from assay.runs.record import RECORD
    from assay.runs.summary import summary

    found = []
    for name, each in sorted(compositions().items()):
        metrics, record = (
            root / "reports" / name / "metrics.json",
            root / "models" / tasks_of(each)[0] / RECORD,
        )
        if metrics.exists() and record.exists():
            facts = read_json(record)["data"]
            found.append(summary(cast("Task", each), read_json(metrics), facts))
    return found
