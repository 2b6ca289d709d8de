"""Put first weights where a training reads them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from assay.registry.best_weights import BackboneRanking
    from assay.registry.first_weights import Placed

ENDINGS = (".pth", ".pt", ".ckpt", ".safetensors")


@click.command()
@click.argument("task")
@click.argument("sources", nargs=-1, required=True)
@click.option("--revision", default="main", help="of the hub's repository; noted as a commit")
@click.option(
    "--best", type=click.IntRange(min=1), help="of each task of SOURCES so many best backbones"
)
def command(task: str, sources: tuple[str, ...], revision: str, best: int | None) -> None:
    """Put first weights of TASK into models/start/TASK/, under DVC.

    Each of SOURCES is a file (.pth, .pt, .safetensors), or a backbone as timm names it, whose weights
    are taken from the hub's cache or fetched. Nothing that a file contains is run.

    With --best N they are tasks of one view each, <system>-<view>: of all trainings of each that are
    finished here, on the split at hand, the best of each backbone by the task's own epoch rule on rows
    that validated, and of these the N best, as <view>-<backbone>.
    """
    if best is not None:
        _place_best(task, sources, best)
        return
    from assay.lookup import find_task
    from assay.registry.first_weights import place_file, place_pretrained
    from assay.runs.root import find_root

    find_task(task)
    root = find_root(Path.cwd())
    for source in sources:
        file = Path(source)
        if file.exists() or file.suffix in ENDINGS or len(file.parts) > 1:
            done = place_file(root, task, file)
        else:
            done = place_pretrained(root, task, source, revision)
        _tell(done)
    _tell_next(task, {f"{task}.model.weights": done.path.name})


def _place_best(task: str, names: Sequence[str], count: int) -> None:
    from assay.commands.run import written
    from assay.lookup import find_task
    from assay.params import read_all
    from assay.registry.best_weights import ensure_taken, place_best, rank_backbones
    from assay.runs.console import make_console
    from assay.runs.root import find_root
    from assay.sections.task import SINGLE

    find_task(task)
    root, names = find_root(Path.cwd()), tuple(dict.fromkeys(names))
    ensure_taken(read_all(root), task, names)
    rankings = [rank_backbones(root, name, count) for name in names]  # all, before one is placed
    settings = {}
    for ranking in rankings:
        make_console().print(_table(ranking))
        if ranking.backbones < count:
            click.echo(f"{ranking.task.name}: {ranking.backbones} backbones, fewer than {count}")
        for done in place_best(root, task, ranking):
            _tell(done)
        backbones = [each.backbone for each in ranking.listed]
        settings[f"{task}.model.{ranking.view}"] = written(backbones)
    _tell_next(task, {**settings, f"{task}.model.weights": SINGLE})


def _tell(done: Placed) -> None:
    told = f"; {done.wrapper!r} taken off every name" if done.wrapper else ""
    told += ", in place of others" if done.is_other else ""
    click.echo(f"{done.path}: {done.tensors} tensors{told}")


def _tell_next(task: str, settings: dict[str, str]) -> None:
    line = [word for key, value in settings.items() for word in ("-S", f"{key}={value}")]
    click.echo(f"commit it: git add models/start/{task} && git commit -m 'Start {task} from …'")
    click.echo(f"start from it: {shlex.join(['dvc', 'exp', 'run', *line])}")


def _table(ranking: BackboneRanking) -> Table:
    from rich import box
    from rich.table import Table

    title = (
        f"{ranking.task.name}: the best of {ranking.backbones} backbones, {ranking.trainings}"
        f" trainings; rows of fold {ranking.fold}"
    )
    metrics = [name for name in ranking.listed[0].chosen if "loss" not in name]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title=title, title_justify="left")
    for name in ("", "backbone", *metrics, "job"):
        table.add_column(
            name, no_wrap=True, justify="left" if name in ("backbone", "job") else "right"
        )
    for place, each in enumerate(ranking.listed, start=1):
        values = [f"{each.chosen[name]:.4g}" for name in metrics]
        table.add_row(str(place), each.backbone, *values, each.key[:8])
    return table
