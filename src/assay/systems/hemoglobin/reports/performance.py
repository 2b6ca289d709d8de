"""The performance report of fusion: figures, and one page that needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.learning.claims import judge_numbers
from assay.learning.summary import interval_text
from assay.runs.page.write import embedded, write_page
from assay.systems.hemoglobin.ensemble.columns import SINGLES
from assay.systems.hemoglobin.reports.figures import draw_report
from assay.systems.hemoglobin.reports.founding import FOUNDING, founding_gain
from assay.systems.hemoglobin.reports.steps import (
    MAE,
    change_from_elsewhere,
    measure_steps,
    remarks_on,
    step_columns,
    title_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assay.systems.hemoglobin.reports.result import FusionResult
    from assay.systems.hemoglobin.reports.steps import StepChange, StepScores

TEMPLATE = Path(__file__).parent / "templates" / "performance.html.j2"
PAGE = "performance.html"
Row = dict[str, Any]


def write_report(
    result: FusionResult,
    pictures: Path,
    singles: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Write figures into `pictures`, and the page into `tables` beside it: DVC draws no page.

    Args:
        result: the grid, on the rows that validated.
        pictures: folder of figures.
        singles: task → its own scores, as `runs.scores` keeps them, where they are at hand. They are of
            other people: told, and no change is made of them.
    """
    steps = measure_steps(result)
    figures = draw_report(result, steps, pictures)
    ensemble = steps.scores[result.versions[0]]
    rests = f"{ensemble['groups']} patients ({ensemble['rows']} pairs of images)"
    refused = [each.found for each in judge_numbers(ensemble, "patients") if not each.passed]
    write_page(
        pictures.with_name("tables") / PAGE,
        TEMPLATE,
        title="hemoglobin fusion · performance",
        subtitle=f"{rests}, out of fold · {result.jobs} trainings of"
        f" {len(result.configurations)} configurations"
        f" · selection {result.selection}",
        refused=refused,
        confidence=f"{result.how.confidence_level:.0%}",
        steps=[_step(title_of(name), steps.scores[name]) for name in _shown(result)],
        absent="" if _has_singles(result) or singles else ", ".join(SINGLES),
        elsewhere=_elsewhere(result, steps, singles or {}),
        changes=[] if refused else [_change(each) for each in steps.changes],
        figures={title: embedded(path.read_bytes()) for title, path in figures.items()},
        members=_members(result, steps),
        founding=FOUNDING,
        gain=founding_gain(),
        resamples=result.how.n_resamples,
    )


def _shown(result: FusionResult) -> list[str]:
    """Return the columns as steps: single, then of each version phase 1, phase 2, ensemble."""
    steps = [name for version in result.versions for name in step_columns(result, version)]
    return [name for name in SINGLES if name in result.columns] + steps


def _has_singles(result: FusionResult) -> bool:
    return any(name in result.columns for name in SINGLES)


def _step(title: str, scores: Mapping[str, Any]) -> Row:
    """Return one line; what it rests on is said once, above."""
    return {
        "step": title,
        "MAE": interval_text(scores["mae"], MAE.digits),
        "skill": interval_text(scores["skill"], 2),
        "R²": interval_text(scores["r2"], 2),
        "ACC@1": interval_text(scores["acc_1.0"], 2),
        "patients": scores["groups"],
        "best of": scores["best_of"],
        "remarks": remarks_on(scores),
    }


def _elsewhere(
    result: FusionResult, steps: StepScores, singles: Mapping[str, Mapping[str, Any]]
) -> list[Row]:
    """Return the single-modality tasks' own lines, each with why no change is made of it."""
    first = step_columns(result, result.versions[0])[0]
    return [
        {
            **_step(name, {"best_of": 1, **scores}),
            "refused": change_from_elsewhere(name, scores, first, steps.scores[first]),
        }
        for name, scores in singles.items()
    ]


def _change(change: StepChange) -> Row:
    own = {"value": change.value, "low": change.low, "high": change.high}
    return {
        "change": f"{title_of(change.old)} → {title_of(change.new)}",
        "MAE": interval_text(own, MAE.digits, MAE.unit),
        "verdict": change.verdict,
    }


def _members(result: FusionResult, steps: StepScores) -> list[Row]:
    """Return what fills each finalist's column, with its weight in the ensemble of its version."""
    rows = []
    for column, name in result.finalists.items():
        mix = next(
            (mix for version, mix in result.mix.items() if column.startswith(f"{version}_")), {}
        )
        own = steps.scores[column]
        rows.append({
            "chosen as": title_of(column), "configuration": name, "weight": mix.get(name),
            "MAE": f"{own['mae']['value']:.2f}", "R²": f"{own['r2']['value']:.2f}",
        })  # fmt: skip
    return rows
