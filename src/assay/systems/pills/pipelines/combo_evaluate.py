"""Evaluating both modes: asked, matched, scored, written line by line and drawn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.systems.pills.pipelines import combo_picture, combo_scores, combo_table, reading
from assay.systems.pills.pipelines.combo_answers import answers, baseline, code_names, truth

if TYPE_CHECKING:
    from assay.contract.score import Score
    from assay.manifest.rows import Rows
    from assay.pipeline import TrainedModel
    from assay.systems.pills.pipelines.combo_params import ComboParams


def evaluate(
    headline: Score,
    models: Mapping[str, TrainedModel],
    train: Rows,
    valid: Rows,
    own: ComboParams,
    folder: Path,
) -> dict[str, Any]:
    """Return every metric with its interval by group; write what was said, line by line and drawn."""
    true, least = truth(valid), own.evaluate.match_iou
    said, trivial = answers(models, valid, own), baseline(models, train, valid, own)
    matches = combo_scores.match_photographs(said, true, len(valid), least)
    counts = combo_scores.photograph_counts(said, true, matches, valid)
    base = combo_scores.photograph_counts(
        trivial, true, combo_scores.match_photographs(trivial, true, len(valid), least), valid
    )
    known = np.isin(true.drugs, list(reading.trained(models)))
    code = reading.codes(models) | code_names(train) | code_names(valid)
    table = combo_table.lines(said, true, matches, valid, code)
    combo_table.write(folder / "predictions.csv", table)
    combo_picture.draw(counts, table, valid, folder / "pictures")
    scores = combo_scores.with_intervals(headline, counts, base, valid.columns["group_id"], own)
    return scores | {
        "pills": len(true.drugs), "single_rows": int(counts["alone"].sum()),
        "unseen_share": float(1 - known.mean()) if len(known) else float("nan"),
    }  # fmt: skip
