"""Show the trainings of this checkout: done, running, failed, half; from any terminal, while they run."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Group
    from rich.table import Table

    from assay.jobs.overview import JobState, TaskJobs

TICK = 1.0  # seconds between two looks


@click.command()
@click.option("--json", "as_json", is_flag=True, help="one JSON document; of --follow one a line")
@click.option("--all", "shows_all", is_flag=True, help="of each task all, however many there are")
@click.option("--follow", is_flag=True, help="again each second, until nothing runs")
def command(as_json: bool, shows_all: bool, follow: bool) -> None:
    """Show each job of each task: a job is one training, of one fold, with these values.

    Of many, those that run or did not end well, and the best. A training of a grid has its
    configuration's name, any other its key. Where a driver has it: of which process. One that is half
    done goes on when its stage, its search or its grid is run again.
    """
    from rich.live import Live

    from assay.jobs.overview import overview
    from assay.runs.console import make_console
    from assay.runs.root import find_root

    root, console = find_root(Path.cwd()), make_console()
    is_live = follow and console.is_terminal and not as_json
    with Live(console=console, auto_refresh=False) if is_live else nullcontext() as live:
        while True:
            found = list(overview(root))
            is_last = not follow or not any(each.tally.running for each in found)
            if as_json:
                click.echo(json.dumps({"tasks": [each.facts() for each in found]}))
            elif live:
                live.update(_shown(found, shows_all), refresh=True)
            elif is_last:
                console.print(_shown(found, shows_all))
            if is_last:
                return
            time.sleep(TICK)


def _shown(found: Sequence[TaskJobs], shows_all: bool) -> Group:
    from rich.console import Group

    parts: list[Table | str] = []
    for each in found:
        jobs = each.jobs if shows_all else each.notable()
        parts += [_table(each, jobs), _summary(each, len(each.jobs) - len(jobs))]
    return Group(*(parts or ["no jobs yet: no training has begun here"]))


def _summary(found: TaskJobs, left_out: int) -> str:
    more = f"\n{left_out} more: assay jobs --all" if left_out else ""
    return f"[{found.tally.done}/{found.tally.total}] {found.task} · {found.tally}{more}"


def _table(found: TaskJobs, jobs: Sequence[JobState]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in (found.task, "fold", "epochs", found.metric, "s"):
        table.add_column(name, no_wrap=True, justify="left" if name == found.task else "right")
    table.add_column("state", ratio=1)
    for each in jobs:
        value = f"{each.chosen[found.metric]:.4g}" if each.chosen else ""
        epochs = f"{each.reached.epochs}/{each.reached.of}"
        table.add_row(
            each.label, str(each.job.fold), epochs, value, f"{each.seconds:.0f}",
            ": ".join(filter(None, [each.state, each.why])),
        )  # fmt: skip
    return table
