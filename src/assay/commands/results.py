"""Print one line a task: value, interval, skill, what they rest on, time taken; or a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from assay.contract.scored import Scored


@click.command()
@click.argument("task", required=False)
@click.option("--over", "key", metavar="KEY", help="compare TASK's results over this parameter")
def command(task: str | None, key: str | None) -> None:
    """Print the work tree's results, or compare.

    What several tasks say together has a line of its own. What weakens a number stands at its end:
    few subjects, no skill, the best of N known results on the same rows.

    With --over, for example model.backbone: every known result of TASK (commits, experiments, work
    tree), one row a value. Only those of the same data and otherwise equal parameters are ranked
    together.
    """
    from assay.lookup import all_scored, find_scored, find_task
    from assay.runs.root import find_root

    root = find_root(Path.cwd())
    if key is None:
        _print_lines(root, all_scored() if task is None else {task: find_scored(task)})
        return
    if task is None:
        raise click.UsageError("--over compares one task's results: assay results <task> --over …")
    from assay.runs.console import make_console
    from assay.tracking.comparison import compare, ensure_known
    from assay.tracking.comparison_table import show

    found = find_task(task)
    ensure_known(root, [f"{task}.{key}"])
    show(found, key, compare(root, found, key), make_console())


def _print_lines(root: Path, tasks: Mapping[str, Scored]) -> None:
    from assay.errors import AssayError
    from assay.learning.summary import summaries
    from assay.tracking.entries import iter_lock_entries
    from assay.tracking.known import Known
    from assay.tracking.results import DvcCache, join_results

    known = Known(join_results(iter_lock_entries(root)), DvcCache(root))
    lines = summaries(root, tasks, known.best_of)
    if not lines:
        raise AssayError("results", "none in this work tree", mend="dvc repro")
    click.echo("\n".join(lines))
