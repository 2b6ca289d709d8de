"""Search over parameters of a task, as `params.yaml` declares it; end in a recipe."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from assay.search.outcome import Outcome
    from assay.search.plan import StudyPlan
    from assay.search.storage import Store


@click.command()
@click.argument("task")
@click.option("--study", "name", help="which of the task's studies; needed where there are several")
@click.option("--trials", type=click.IntRange(min=1), help="in all; the declared budget otherwise")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("--trial", "number", type=int, help="make the recipe of this trial")
@click.option("--apply", is_flag=True, help="run the recipe as an experiment when the study ends")
def command(
    task: str, name: str | None, trials: int | None, workers: int, number: int | None, apply: bool
) -> None:
    """Search over parameters of TASK; end in recipes/<task>/<study>.yaml.

    A study is declared in search.yaml under search.<task>.<study>. After Ctrl-C or a kill the same
    command goes on: no ended trial is lost, a half one is tried again. ASSAY_SEARCH_STORAGE names a
    database (postgresql://…) that several machines share.
    """
    from assay.commands.recipe import experiment_line, run_line
    from assay.lookup import find_task
    from assay.params import read_all
    from assay.params_check import check_content, check_spaces
    from assay.runs.lock import held
    from assay.runs.root import find_root
    from assay.search.inputs import training_inputs
    from assay.search.plan import plan_study
    from assay.search.recipe import write_recipe
    from assay.search.storage import Store
    from assay.value_faults import STUDIES

    found_task, root = find_task(task), find_root(Path.cwd())
    content = read_all(root)
    check_content(content)
    drawn = plan_study(content, task, name, {})  # a misspelt name is told before DVC is asked
    check_spaces({**content, STUDIES: {task: {drawn.name: drawn.declared}}})
    plan = plan_study(content, task, name, training_inputs(root, found_task))
    _introduce(plan, root)
    folder = plan.write(root)
    with held(folder / "driver.lock", "the same study runs elsewhere; waiting"):
        store = Store(plan, root)
        found = _carry_out(store, root, trials or plan.study.trials, workers)
        path, chosen = write_recipe(found, root, number)
        line = experiment_line(root, path)
        click.echo(_show(store, found, root, shlex.join(line)))
    recipe = path.relative_to(root)
    click.echo(f"the best of {found.compared}: trial {chosen.number}, {found.shown(chosen)}")
    click.echo(f"recipe: {recipe} and {recipe.with_suffix('.csv').name}, to be committed; it runs:")
    click.echo(shlex.join(line))
    if apply:
        raise SystemExit(run_line(root, line))


def _introduce(plan: StudyPlan, root: Path) -> None:
    """Say which study this is, and that an earlier one of its name is another."""
    from assay.search.plan import studies_folder

    own = plan.folder(root)
    others = sorted((studies_folder(root) / plan.task).glob(f"{plan.name}-*"))
    if not own.exists() and others:
        click.echo(
            f"study {plan.name} has changed (declaration, parameters, data or code): it begins anew;"
            f" {len(others)} earlier state(s) stay in {own.parent.relative_to(root)}"
        )
    click.echo(f"study {plan.title} · {', '.join(plan.study.space)}")


def _carry_out(store: Store, root: Path, wanted: int, workers: int) -> Outcome:
    """Run the trials, recording beside them."""
    from assay.search.drive import drive
    from assay.search.pictures import draw
    from assay.search.record import PICTURES, Recorder
    from assay.tracking.store import store_uri

    recorder = Recorder(store, root)
    found = drive(store, root, wanted, workers, click.echo, recorder.news)
    folder = store.folder / PICTURES
    away = recorder.finish(folder if draw(store, found, folder) else None)
    if away:
        click.echo(f"the tracker at {store_uri(root)} is away: {away}\n  later: assay sync")
    return found


def _show(store: Store, found: Outcome, root: Path, line: str) -> str:
    """Write the page, and say where."""
    from assay.pages.study import write_study_page
    from assay.search.record import PICTURES

    path = root / "reports" / found.plan.task / f"search-{found.plan.name}.html"
    pictures = sorted((store.folder / PICTURES).glob("*.png"))
    write_study_page(found, pictures, path, line)
    return f"page: {path.relative_to(root)}"
