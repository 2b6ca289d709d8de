"""The scores of a result as files: all of them as a table, and four numbers of it for DVC's own tables.

`dvc metrics show` has a column for each name over all tasks, so names that tasks share keep it narrow;
`dvc exp show` writes a file's path before a name that several share, so names of one's own keep that
narrow (findings/dvc-exp-show-prefixes-shared-metrics.sh). Of nine tasks, both have room for three names
of a task's own and one that is shared.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.errors import AssayError
from assay.runs.files import write_text

SCORES = "scores.csv"
DVC_METRICS = "metrics.json"
PARTS = ("value", "low", "high")
BASELINE = "baseline"
ALWAYS = {"groups", "rows", "metrics_version"}


def write_scores(folder: Path, scores: Mapping[str, Any], short: str, metric: str) -> None:
    """Write `scores.csv` and `metrics.json`.

    Args:
        folder: of the task's reports.
        scores: metric → value, low, high; `baseline`: metric → value; and plain numbers: `rows`,
            `groups`, `metrics_version`, …
        short: of the task.
        metric: its headline.
    """
    write_text(folder / SCORES, as_table(scores))
    own = scores[metric]
    shown = {metric: own["value"], "low": own["low"], "high": own["high"]}
    told = {f"{short}_{name}": value for name, value in shown.items()}
    told["skill"] = scores["skill"]["value"]
    write_text(
        folder / DVC_METRICS, json.dumps(told, indent=2) + "\n"
    )  # `exp show` keeps the order


def as_table(scores: Mapping[str, Any]) -> str:
    """Return scores as CSV, a row a name; a plain number has a value alone."""
    trivial, text = scores.get(BASELINE, {}), io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["metric", *PARTS, BASELINE])
    for name in sorted({*scores, *trivial} - {BASELINE}):
        own = scores.get(name, "")
        parts = [own[part] for part in PARTS] if isinstance(own, Mapping) else [own, "", ""]
        writer.writerow([name, *parts, trivial.get(name, "")])
    return text.getvalue()


def read_scores(path: Path) -> dict[str, Any]:
    """Return what `write_scores` was given, of a `scores.csv`.

    Raises:
        AssayError: it is not as it was written.
    """
    try:
        scores = _read(path)
    except (KeyError, TypeError, ValueError) as fault:
        found = f"{type(fault).__name__}: {fault}"
    else:
        if scores.keys() >= ALWAYS:
            return scores
        found = f"no {', '.join(sorted(ALWAYS - scores.keys()))}"
    mend = f"dvc checkout -f {path}; of a file in DVC's cache: assay doctor --deep"
    raise AssayError(str(path), f"damaged: {found}", "scores as a stage wrote them", mend)


def _read(path: Path) -> dict[str, Any]:
    scores: dict[str, Any] = {}
    trivial: dict[str, float] = {}
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            name, value = row["metric"], row["value"]
            if row["low"] or row["high"]:
                scores[name] = {part: float(row[part]) for part in PARTS}
            elif value:
                scores[name] = int(value) if value.isdecimal() else float(value)
            if row[BASELINE]:
                trivial[name] = float(row[BASELINE])
    return scores | {BASELINE: trivial}
