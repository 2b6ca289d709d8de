"""The page of a study: what was tried, what came of it, its pictures; whole in one file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.pages.page import write_page
from assay.sections.study import Range

if TYPE_CHECKING:
    from assay.search.outcome import Outcome

CAPTIONS = {
    "front": "What one objective costs the other; no trial on the front is beaten in both",
    "history": "Every complete trial, and the best so far",
    "importance": "How much of the spread between trials each parameter explains",
    "slice": "Every complete trial, parameter by parameter",
    "curves": "Where the pruned trials were ended",
}


def write_study_page(found: Outcome, pictures: Sequence[Path], path: Path, line: str) -> None:
    """Write the page; `line` is the command that runs the recipe, or empty where there is none."""
    plan = found.plan
    complete = bool(found.ended("complete"))
    chosen = found.choose().number if complete else -1
    front = {trial.number for trial in found.front} - {chosen}
    write_page(
        path,
        "study",
        title=f"{plan.task} · search {plan.name}",
        subtitle=f"{found.counts()} · {found.best_line()}",
        warning=f"The best of {found.compared} trials on the very rows it was chosen on is optimistic."
        if found.compared > 1
        else "",
        space=[(key, _said(values)) for key, values in plan.study.space.items()]
        + [(key, f"{value} in all trials") for key, value in plan.study.fixed.items()],
        objectives=plan.study.objectives,
        how=_how(found),
        pictures=[(p.stem, CAPTIONS[p.stem.partition("-")[0]], _data_url(p)) for p in pictures],
        rows=_without_empty(found.rows()),
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


def _how(found: Outcome) -> str:
    study = found.plan.study
    pruner = study.pruner if isinstance(study.pruner, str) else study.pruner.kind
    return f"sampler {study.sampler}, pruner {pruner}, seed {study.seed}"


def _data_url(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
