"""The end of a study: a recipe in git, with the number of trials in it, and the table of all trials."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.runs.files import write_text

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from assay.search.results import StudyResults

BEST_OF = "evaluate.best_of"


def write_recipe(
    results: StudyResults, root: Path, number: int | None = None
) -> tuple[Path, FrozenTrial]:
    """Write `recipes/<task>/<study>.yaml` and `.csv` beside it; return the recipe's path and trial."""
    plan = results.plan
    folder = root / "recipes" / plan.task
    chosen = results.choose(number)
    path = folder / f"{plan.name}.yaml"
    write_text(folder / f"{plan.name}.csv", _table(results))
    write_text(path, recipe_text(results, chosen))
    return path, chosen


def recipe_text(results: StudyResults, chosen: FrozenTrial) -> str:
    """Return the recipe of a trial: what it is the best of, then every value that the study set."""
    plan = results.plan
    earlier = plan.section["evaluate"].get("best_of", 1)
    tried = results.compared + (earlier if earlier > 1 else 0)
    lines = [
        f"# Study {plan.name}: the best of {results.compared} trials, {results.shown(chosen)}.",
        f"# Trial {chosen.number}; {results.counts()}. Objectives, on validation rows:",
        *(f"#   {name}: {aim}" for name, aim in plan.study.objectives.items()),
        "# A choice made on these very rows flatters itself: the number travels as best_of.",
    ]
    if earlier > 1:
        lines.append(f"# The study began from the best of {earlier}: {tried} in all.")
    if len(results.objectives) > 1:
        rule = "the nearest to the best of each objective, in the front's ranges"
        lines.append(f"# No trial is best in all of them; of the front, without --trial: {rule}.")
        lines += [f"#   trial {trial.number}: {results.shown(trial)}" for trial in results.front]
    lines.append(f"# Written by `assay search {plan.task} --study {plan.name}` ({plan.digest}).")
    values = {**plan.study.fixed, **plan.values(chosen.params), BEST_OF: tried}
    lines += [f"{plan.task}.{key}: {_written(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _written(value: Any) -> str:
    """Return a value as YAML 1.2 reads it back, in one line."""
    from ruamel.yaml import YAML

    yaml, stream = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style = True
    yaml.width = 10_000
    yaml.dump([value], stream)
    return stream.getvalue().strip()[1:-1]


def _table(results: StudyResults) -> str:
    stream = io.StringIO()
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in results.rows()]
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
