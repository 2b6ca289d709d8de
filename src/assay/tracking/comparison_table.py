"""Rankings as tables for people, 100 columns wide where the output is no terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from assay.learning.claims import remarks
from assay.learning.summary import interval_text

if TYPE_CHECKING:
    from assay.contract.task import Task
    from assay.tracking.comparison import Ranking, Row


def show(task: Task, key: str, rankings: Sequence[Ranking], console: Console) -> None:
    """Print every ranking of several values, then what stands alone.

    Each table is followed by the number of comparisons made: the best of many is optimistic.
    """
    console.print(f"{task.name} over {key}, on validation rows; best first by the task's rank")
    first, *others = rankings
    _show_ranking(task, key, first, console)
    for ranking in others:
        if len(ranking.rows) > 1:
            console.print(f"\nNot comparable with the above: {ranking.apart}")
            _show_ranking(task, key, ranking, console)
    alone = [(ranking.rows[0], ranking.apart) for ranking in others if len(ranking.rows) == 1]
    if alone:
        console.print("\nNot comparable with the above, each on its own")
        rows = [row for row, _ in alone]
        console.print(_table(task, key, rows, [why for _, why in alone]))
        _show_remarks(task, rows, console)
    for ranking in others:
        if not ranking.rows:
            console.print(f"\nNot ranked: {ranking.apart}", soft_wrap=True)


def _show_ranking(task: Task, key: str, ranking: Ranking, console: Console) -> None:
    console.print(_table(task, key, ranking.rows))
    count = len(ranking.rows)
    if count > 1:
        console.print(f"{count} compared: the best of {count} is optimistic")
    else:
        console.print("1 value: nothing to compare it with")
    _show_remarks(task, ranking.rows, console)
    if ranking.repeated:
        several = ", ".join(f"{value} ({count})" for value, count in ranking.repeated.items())
        console.print(f"several results of one value, the latest stands: {several}")
    states = len({row.code for row in ranking.rows})
    if states > 1:
        console.print(f"{states} states of code and environment among them")


def _show_remarks(task: Task, rows: Sequence[Row], console: Console) -> None:
    """Print each remark once, with the values it is about; what is true of all names none."""
    about: dict[str, list[str]] = {}
    for row in rows:
        for remark in remarks(task, row.scores, ""):
            about.setdefault(remark, []).append(row.value)
    for remark, values in about.items():
        whose = "" if len(values) == len(rows) else f"{', '.join(values)}: "
        console.print(f"{whose}{remark}")


def _table(task: Task, key: str, rows: Sequence[Row], whys: Sequence[str] = ()) -> Table:
    """Lay the rows out; headers and long values fold, numbers never do."""
    score, table = task.headline, Table(box=box.SIMPLE_HEAD, padding=0)
    others = [name for name in _deciding(task, rows[0]) if name != score.metric]
    unit = f" {score.unit}" if score.unit else ""
    table.add_column(key.rpartition(".")[2], overflow="fold", min_width=12)
    table.add_column(f"{score.name}{unit}", no_wrap=True)
    table.add_column("skill", no_wrap=True)
    if whys:
        table.add_column("differs by", overflow="fold")
    else:
        for name in others:
            table.add_column(name, justify="right", overflow="fold", width=score.digits + 3)
    table.add_column("groups", justify="right", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    for number, row in enumerate(rows):
        middle = (
            [whys[number]] if whys else [f"{row.metrics[name]:.{score.digits}f}" for name in others]
        )
        table.add_row(
            row.value,
            interval_text(row.scores[score.metric], score.digits),
            interval_text(row.scores["skill"], 2),
            *middle,
            str(row.scores["groups"]),
            str(row.scores["rows"]),
        )
    return table


def _deciding(task: Task, row: Row) -> list[str]:
    """Return the metrics that the task's rank reads, in its order; the others would crowd the line."""
    read: list[str] = []

    class Noting(dict[str, float]):
        def __getitem__(self, name: str) -> float:
            read.append(name)
            return super().__getitem__(name)

    task.rank(Noting(row.metrics))
    return list(dict.fromkeys(read))
