"""Pictures of named pills: the confusion matrix, accuracy drug by drug, and the surest errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torchmetrics.functional.classification import multiclass_confusion_matrix

from assay.runs.figures import save_figure, save_table
from assay.systems.pills.learning.scores import prob_of_true, top1

if TYPE_CHECKING:
    from assay.manifest.rows import Rows

Numbers = npt.NDArray[Any]
TABLE = {
    "code": pl.String, "class": pl.Int64, "rows": pl.Int64, "right": pl.Int64, "top1": pl.Float64,
}  # fmt: skip
MOST = 30  # drugs of a picture: those with the most errors
WORST = 24  # errors that are shown


def draw(predictions: npt.NDArray[np.float32], rows: Rows, folder: Path) -> None:
    """Write `confusion.png`, `drugs.csv`, `drugs.png` and `errors.png`; of drugs once trained."""
    true, said = rows.columns["drug"].astype(np.int64), top1(predictions)
    seen = ~np.isnan(prob_of_true(predictions, true))
    codes = drug_codes(rows)
    table = drug_table(true[seen], said[seen], codes)
    save_table(folder, "drugs.csv", pl.DataFrame(table, TABLE).write_csv())
    chosen = [line["class"] for line in table[:MOST]]
    _confusion(true[seen], said[seen], chosen, codes, folder / "confusion.png")
    _bars(table[:MOST], folder / "drugs.png")
    _errors(predictions, rows, np.flatnonzero(seen & (said != true)), codes, folder / "errors.png")


def drug_codes(rows: Rows) -> dict[int, str]:
    """Return the K-codes that these rows name, by class id."""
    pairs = zip(rows.columns["drug"].tolist(), rows.columns["code"].tolist(), strict=True)
    return {int(number): str(code) for number, code in pairs}


def drug_table(true: Numbers, said: Numbers, codes: dict[int, str]) -> list[dict[str, Any]]:
    """Return a line a drug: its rows, how many were named rightly; those with most errors first."""
    lines = []
    for number in np.unique(true):
        mine = true == number
        right = int((said[mine] == number).sum())
        lines.append({
            "code": codes[int(number)], "class": int(number), "rows": int(mine.sum()),
            "right": right, "top1": right / int(mine.sum()),
        })  # fmt: skip
    return sorted(lines, key=lambda line: (line["right"] - line["rows"], line["class"]))


def _confusion(
    true: Numbers, said: Numbers, chosen: list[int], codes: dict[int, str], path: Path
) -> None:
    """Draw how often each chosen drug was called which; any other stands in the last column."""
    order = sorted(chosen)
    place = {number: row for row, number in enumerate(order)}
    kept = np.isin(true, order)
    rows, columns = (
        np.array([place.get(int(each), len(order)) for each in part[kept]], dtype=np.int64)
        for part in (true, said)
    )
    matrix = multiclass_confusion_matrix(
        torch.from_numpy(columns), torch.from_numpy(rows), len(order) + 1
    ).numpy()[:-1]
    side = 2.5 + 0.32 * len(order)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes: Axes = figure.add_subplot()
    axes.imshow(matrix, cmap="Blues", vmin=0, vmax=max(int(matrix.max(initial=0)), 1))
    dark = matrix > matrix.max(initial=0) / 2
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            axes.text(column, row, str(count), ha="center", va="center", fontsize=7,
                      color="white" if dark[row, column] else "black")  # fmt: skip
    names = [codes[number] for number in order]
    axes.set_xticks(range(len(names) + 1), [*names, "other"], rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set(xlabel="predicted", ylabel="labelled")
    axes.set_title(f"Validation, {int(kept.sum())} pills of {len(order)} drugs")
    save_figure(figure, path)


def _bars(table: list[dict[str, Any]], path: Path) -> None:
    figure = Figure(figsize=(6, 1.2 + 0.22 * len(table)), layout="constrained")
    axes: Axes = figure.add_subplot()
    axes.barh(range(len(table)), [line["top1"] for line in table], color="#3572a5")
    names = [f"{line['code']} ({line['right']}/{line['rows']})" for line in table]
    axes.set_yticks(range(len(table)), names, fontsize=7)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="top 1")
    axes.set_title(f"The {len(table)} drugs with the most errors")
    save_figure(figure, path)


def _errors(
    predictions: Numbers, rows: Rows, wrong: Numbers, codes: dict[int, str], path: Path
) -> None:
    """Draw the pills that were given the least chance of being what they are."""
    given = prob_of_true(predictions, rows.columns["drug"].astype(np.int64))
    said = top1(predictions)
    worst = wrong[np.argsort(given[wrong], kind="stable")[:WORST]]
    high = max(1, -(-len(worst) // 6))
    figure = Figure(figsize=(10, 2.1 * high), layout="constrained")
    panels = np.atleast_1d(figure.subplots(high, 6)).ravel()
    for panel in panels:
        panel.set_axis_off()
    for panel, row in zip(panels, worst, strict=False):
        panel.imshow(rows.image[row])
        own = codes[int(rows.columns["drug"][row])]
        other, share = codes.get(int(said[row]), f"class {said[row]}"), predictions[row, said[row]]
        panel.set_title(f"{own}\nnamed {other} {share:.0%}", fontsize=7)
    figure.suptitle(f"{len(wrong)} of {len(rows)} pills named wrongly", fontsize=9)
    save_figure(figure, path)
