"""The page of a study: what was tried, what came of it, its pictures; whole in one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.runs.page.write import embedded, write_page
from assay.sections.study import Range

if TYPE_CHECKING:
    from assay.search.results import StudyResults

CAPTIONS = {
    "front": "What one objective costs the other; no trial on the front is beaten in both",
    "history": "Every complete trial, and the best so far",
    "importance": "How much of the spread between trials each parameter explains",
    "slice": "Every complete trial, parameter by parameter",
    "curves": "Where the pruned trials were ended",
}


def write_study_page(
    results: StudyResults, pictures: Sequence[Path], path: Path, line: str
) -> None:
    """Write the page; `line` is the command that runs the recipe, or empty where there is none."""
    plan = results.plan
    complete = bool(results.ended("complete"))
    chosen = results.choose().number if complete else -1
    front = {trial.number for trial in results.front} - {chosen}
    write_page(
        path,
        Path(__file__).parent / "templates" / "study.html.j2",
        title=f"{plan.task} · search {plan.name}",
        subtitle=f"{results.counts()} · {results.best_line()}",
        warning=f"The best of {results.compared} trials on the very rows it was chosen on is optimistic."
        if results.compared > 1
        else "",
        space=[(key, _said(values)) for key, values in plan.study.space.items()]
        + [(key, f"{value} in all trials") for key, value in plan.study.fixed.items()],
        objectives=plan.study.objectives,
        how=_how(results),
        pictures=[
            (p.stem, CAPTIONS[p.stem.partition("-")[0]], embedded(p.read_bytes())) for p in pictures
        ],
        rows=_without_empty(results.rows()),
        chosen=chosen,
        front=front,
        line=line,
        digest=plan.digest,
    )


def _said(values: list[object] | Range) -> str:
    if isinstance(values, Range):
        scale = ", by factors" if values.log else ""
        return f"{values.low:g} to {values.high:g}{scale}"
    return " | ".join(map(str, values))


def _without_empty(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the columns that no trial fills."""
    filled = {name for row in rows for name, value in row.items() if value not in (None, "")}
    return [{name: value for name, value in row.items() if name in filled} for row in rows]


def _how(results: StudyResults) -> str:
    study = results.plan.study
    pruner = study.pruner if isinstance(study.pruner, str) else study.pruner.kind
    return f"sampler {study.sampler}, pruner {pruner}, seed {study.seed}"
