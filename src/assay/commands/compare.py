"""Compare two results of one task on the same subjects, and say what changed between them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from assay.contract.scored import Scored
    from assay.tracking.find import Found
    from assay.tracking.known import Known
    from assay.tracking.paired_text import Side, Sides
    from assay.tracking.results import DvcCache


@click.command()
@click.argument("one", metavar="A")
@click.argument("other", metavar="B")
@click.option("--task", default="", help="which task's result, where a commit holds several")
def command(one: str, other: str, task: str) -> None:
    """Compare A with B: paired differences by subject, seed noise, what changed.

    Each is an experiment, a commit or tag, an MLflow run id (its first 6 letters are enough), a
    registered version (<task>/v3, <task>@champion), or . for the work tree. Both are scored on the
    validation rows that they share; a difference is A − B. Numbers of different rows are refused.
    """
    from assay.errors import AssayError
    from assay.lookup import find_scored
    from assay.params import read_params
    from assay.runs.console import make_console
    from assay.runs.root import find_root
    from assay.sections.task import Evaluate
    from assay.tracking import paired_text
    from assay.tracking.changes import changes
    from assay.tracking.entries import iter_lock_entries
    from assay.tracking.find import find_two
    from assay.tracking.known import Known
    from assay.tracking.paired import paired
    from assay.tracking.results import DvcCache, join_results
    from assay.value_faults import PARAMS_FILE
    from assay.values import typed

    root, console = find_root(Path.cwd()), make_console()
    known = Known(join_results(iter_lock_entries(root)), DvcCache(root))
    found = find_two(root, known.results, (one, other), task, lambda name: _version(root, name))
    of = find_scored(found[0].result.task)
    how = typed(read_params(root / PARAMS_FILE), f"{of.name}.evaluate", Evaluate)
    first, second = (_side(root, of, each, known) for each in found)
    what = changes(root, of, (first.found, first.shown), (second.found, second.shown))
    paired_text.show_names(of, (first, second), console)
    try:
        compared = paired(of, first.scored, second.scored, how)
    except AssayError:  # what changed is told all the same
        paired_text.show_changes(what, console)
        raise
    paired_text.show_metrics(of, compared, (first, second), how.confidence_level, console)
    paired_text.show_remarks(of, (first, second), console)
    pictures = _repictured(of, known.cache, (first, second))
    paired_text.show_rows(of, compared, (first, second), pictures, console)
    paired_text.show_changes(what, console)


def _version(root: Path, name: str) -> str | None:
    from assay.registry.versions import result_of

    return result_of(root, name)


def _repictured(task: Scored, cache: DvcCache, sides: Sides) -> set[str]:
    """Return the samples whose pictures differ; none where a table is not in the cache."""
    from assay.manifest.layout import Layout
    from assay.tracking.changes import repictured

    table = str(Layout(task.data).trainval)
    tables = [cache.path(side.shown.datasets[table]) for side in sides]
    return repictured(tables[0], tables[1]) if tables[0] and tables[1] else set()


def _side(root: Path, task: Scored, found: Found, known: Known) -> Side:
    from assay.contract.scored import scoring_stage
    from assay.errors import AssayError
    from assay.runs.files import read_json
    from assay.runs.record import PREDICTIONS, RECORD
    from assay.runs.scores import SCORES, read_scores
    from assay.tracking.paired import seed_noise
    from assay.tracking.paired_text import Side
    from assay.tracking.projection import project
    from assay.tracking.scored import read_scored

    shown = project(found.result, known.cache, root)
    held = {} if shown is None else shown.artifacts
    if shown is None or not {SCORES, PREDICTIONS} <= held.keys():
        raise AssayError(
            f"{found.name} ({found.how})",
            "its predictions are not in the DVC cache of this clone",
            "an evaluated result",
            f"dvc pull --run-cache --all-commits, or dvc repro {scoring_stage(task)} where it stands",
        )
    scores = read_scores(held[SCORES])
    return Side(
        found=found,
        shown=shown,
        scored=read_scored(held[PREDICTIONS]),
        scores=scores | {"best_of": known.best_of(task, scores, read_json(held[RECORD]))},
        noise=seed_noise(root, task, shown, known.results),
    )
