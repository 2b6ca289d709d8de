"""Search over parameters of a task, as `params.yaml` declares it; end in a recipe."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import optuna

    from assay.search.plan import StudyPlan
    from assay.search.results import StudyResults


@click.command()
@click.argument("task")
@click.option("--study", "name", help="which of the task's studies; needed where there are several")
@click.option("--trials", type=click.IntRange(min=1), help="in all; the declared budget otherwise")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("--trial", "number", type=int, help="make the recipe of this trial")
@click.option("--apply", is_flag=True, help="run the recipe as an experiment when the study ends")
@click.option("--json", "as_json", is_flag=True, help="a JSON document a line; all else to stderr")
def command(
    task: str, name: str | None, trials: int | None, workers: int, number: int | None, apply: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Search over parameters of TASK; end in recipes/<task>/<study>.yaml.

    A study is declared in search.yaml under search.<task>.<study>. After Ctrl-C or a kill the same
    command goes on: no ended trial is lost, a half one is tried again. ASSAY_SEARCH_STORAGE names a
    database (postgresql://…) that several machines share.
    """
    from assay.commands.run import experiment_line, run_line
    from assay.contract.grid import SupportsGrid
    from assay.errors import AssayError
    from assay.jobs.display import Display
    from assay.lookup import find_task
    from assay.params import read_all
    from assay.params_check import check_content
    from assay.runs.console import make_console, stdout_alone
    from assay.runs.lock import held
    from assay.runs.root import find_root
    from assay.search.inputs import training_inputs
    from assay.search.plan import plan_study
    from assay.search.pool import run_workers
    from assay.search.recipe import write_recipe
    from assay.search.storage import open_study

    file = click.get_current_context().with_resource(stdout_alone()) if as_json else None
    found_task, root = find_task(task), find_root(Path.cwd())
    if isinstance(found_task, SupportsGrid):
        raise AssayError(
            f"assay search {task}", "it is trained as a grid, and chooses among its trainings itself",
            "a task of one training", f"edit {task}.model in params.yaml, then dvc repro train@{task}",
        )  # fmt: skip
    content = read_all(root)
    check_content(content)
    plan_study(content, task, name, {})  # a misspelt name is told before DVC is asked
    plan = plan_study(content, task, name, training_inputs(root, found_task))
    _introduce(plan, root)
    display = Display(make_console(file), "trial", plan.budget(trials), as_json=as_json)
    with held(plan.write(root) / "driver.lock", "the same study runs elsewhere; waiting"):
        study = open_study(plan, root)
        results = run_workers(study, plan, root, workers, display)
        path, chosen = write_recipe(results, root, number)
        line = experiment_line(root, path)
        _show(study, results, root, shlex.join(line))
        _record(study, plan, root)
    recipe = path.relative_to(root)
    click.echo(f"the best of {results.compared}: trial {chosen.number}, {results.shown(chosen)}")
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


def _show(study: optuna.Study, results: StudyResults, root: Path, line: str) -> None:
    """Draw the pictures and write the page."""
    from assay.pages.study import write_study_page
    from assay.search.pictures import draw
    from assay.search.record import PICTURES

    plan = results.plan
    pictures = draw(study, results, plan.folder(root) / PICTURES)
    path = root / "reports" / plan.task / f"search-{plan.name}.html"
    write_study_page(results, pictures, path, line)
    click.echo(f"page: {path.relative_to(root)}")


def _record(study: optuna.Study, plan: StudyPlan, root: Path) -> None:
    """Record in MLflow; a tracker that is away costs a minute, and nothing else."""
    from assay.search.record import record
    from assay.tracking.store import store_uri

    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")  # seconds
    try:
        record(study, plan, root)
    except Exception as fault:  # noqa: BLE001, MLflow's, its server's, the network's
        said = (str(fault).strip().splitlines() or [type(fault).__name__])[0]
        click.echo(f"the tracker at {store_uri(root)} is away: {said[:300]}\n  later: assay sync")
