"""What became of each pill, true or found: a line each, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import polars as pl

from assay.contract.task_rows import CUT
from assay.systems.pills.pipelines.combo_answers import said_of, true_of
from assay.systems.pills.pipelines.combo_scores import matched
from assay.systems.pills.pipelines.matching import NONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assay.manifest.rows import Rows

Numbers = npt.NDArray[Any]
RIGHT, MISNAMED, BESIDE, MISSED = "right", "misnamed", "beside", "missed"
SCHEMA = {
    "sample_id": pl.String, "group_id": pl.String, "pill": pl.String, "outcome": pl.String,
    "true": pl.String, "named": pl.String, "score": pl.Float64, "chance": pl.Float64,
    "overlap": pl.Float64, "x": pl.Float64, "y": pl.Float64, "width": pl.Float64,
    "height": pl.Float64,
}  # fmt: skip


def lines(
    predictions: Numbers, labels: Numbers, rows: Rows, code: Mapping[int, str]
) -> pl.DataFrame:
    """Return a line for each found pill and each that was missed, photograph by photograph.

    `pill` is the id that the classifier's rows have of the true pill; `x, y, width, height` are the found
    box (px of the original), or the true one of a pill that was missed.
    """
    table: list[dict[str, Any]] = []
    for row, pair in enumerate(zip(predictions, labels, strict=True)):
        said, true = said_of(pair[0]), true_of(pair[1])
        own = matched(said, true)
        sample, group = (str(rows.columns[name][row]) for name in ("sample_id", "group_id"))
        photograph = {"sample_id": sample, "group_id": group}
        for place, box in enumerate(said.place):
            taken = int(own.pair[place])
            there = taken != NONE
            outcome = RIGHT if own.right[place] else MISNAMED if there else BESIDE
            table.append(photograph | {
                "pill": f"{sample}{CUT}{taken}" if there else None, "outcome": outcome,
                "true": code[int(true.drug[taken])] if there else None,
                "named": code[int(said.drug[place])],
                "score": said.score[place], "chance": said.chance[place],
                "overlap": own.overlap[place], **_box(box),
            })  # fmt: skip
        table += [
            photograph | {
                "pill": f"{sample}{CUT}{place}", "outcome": MISSED,
                "true": code[int(true.drug[place])], **_box(true.place[place]),
            }
            for place in sorted(set(range(len(true.drug))) - set(own.pair.tolist()))
        ]  # fmt: skip
    return pl.DataFrame(table, schema=SCHEMA)


def _box(place: Any) -> dict[str, float]:
    sides = ("x", "y", "width", "height")
    return {name: float(value) for name, value in zip(sides, place, strict=True)}
