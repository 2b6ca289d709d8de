"""What each gate is worth: CP-AnemiC, all 710 rows, five folds cut in four ways.

    python benchmarks/cp_anemic.py <folder with conj_folder2.csv> [page.html]

At random, by content (identical bytes together), by the same eye (the leakage gate's own pairs joined),
and, as a control, random groups of the same sizes as the eyes. On each cut the mean predictor,
extra-trees on colour statistics (400 trees) and the demo's network at 64 px are scored side by side, on
the same rows. Each fold is scored once; the network's epoch is chosen on the fold before it, never on
the scored one. Intervals draw whole eyes on every cut, since that is what is independent.

No Hb filter, conflicts kept: the cohort is the whole published set. Nothing from here is promotable.
"""

from __future__ import annotations

import base64
import io
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from matplotlib.figure import Figure
from rich.progress import track
from sklearn.ensemble import ExtraTreesRegressor

from assay.contract.bundle import read_bundle
from assay.learning.intervals import group_intervals
from assay.learning.scores import regression_scores
from assay.lookup import find_system, find_task
from assay.manifest.groups import join_pairs
from assay.manifest.index import index_images
from assay.manifest.listing import deduplicate
from assay.manifest.originals import Originals
from assay.manifest.rows import Rows
from assay.manifest.source import Source
from assay.manifest.split import assign
from assay.manifest.store import ImageStore
from assay.pages.page import write_page
from assay.params import read_params
from assay.runs.events import EventLog
from assay.runs.run import Run
from assay.similar.colour import described, standardised
from assay.similar.find import find_similar
from assay.values import typed

ROOT = Path(__file__).parents[1]
SYSTEM, TASK = find_system("hemoglobin.conjunctiva"), find_task("hemoglobin-conjunctiva")
FOLDS, STRATA, SEED, SIZE, TREES = 5, 5, 42, 64, 400
SCORES = ("MAE g/dL", "R²", "skill")
Floats = npt.NDArray[np.float32]


def load(folder: Path, work: Path) -> tuple[pl.DataFrame, npt.NDArray[np.uint8], str]:
    """Return all rows with the groups of each cut, their images, and a line about them."""
    source = Source(str(folder), work)
    store = ImageStore(work / "images", SIZE)
    listing = deduplicate(SYSTEM.read(source).table).sort("sample_id")
    table = index_images(listing, source, store, SIZE, "pillow")
    pixels = store.pixels()[store.slots(table["digest"])]
    contents = table["digest"].rank("dense").cast(pl.Int64).to_numpy()
    originals = Originals(source, table["uri"].to_list(), table["digest"].to_list(), SYSTEM.name)
    found = find_similar(
        table["digest"].to_list(), contents, originals.open, work, nearest=10, null=400, seed=SEED
    )  # fmt: skip
    ends = [table["digest"].gather(found.pairs[end]) for end in ("a", "b")]
    eyes = join_pairs(table["digest"], *ends)
    control = np.random.default_rng(SEED).permutation(eyes.to_numpy())
    cuts = table.with_columns(
        random=pl.col("sample_id"), content=pl.col("digest"), eye=eyes,
        control=pl.Series(control),
    )  # fmt: skip
    subtitle = (
        f"{len(table)} rows, {table['digest'].n_unique()} contents,"
        f" {eyes.n_unique()} eyes by {len(found.pairs)} pairs"
    )
    return cuts, pixels, subtitle


def predictions(
    table: pl.DataFrame, pixels: npt.NDArray[np.uint8], cut: str, work: Path
) -> dict[str, Floats]:
    """Return what each predictor says of every row when it stood in the scored fold."""
    rows = table.with_columns(group_id=pl.col(cut))
    fold = assign(rows, "hb", "none", FOLDS, STRATA, SEED)["fold"].to_numpy()
    hb = table["hb"].to_numpy().astype(np.float32)
    colours = standardised(np.stack([described(image) for image in pixels]))
    said = {name: np.zeros_like(hb) for name in ("mean", "extra-trees", "network")}
    for number in range(FOLDS):
        scored = fold == number
        said["mean"][scored] = hb[~scored].mean()
        trees = ExtraTreesRegressor(TREES, random_state=SEED, n_jobs=2).fit(
            colours[~scored], hb[~scored]
        )
        said["extra-trees"][scored] = trees.predict(colours[scored])
        chooses = fold == (number + 1) % FOLDS
        columns = {"hb": table["hb"].to_numpy(), "group_id": rows["group_id"].to_numpy()}
        everything = Rows({"image": pixels}, columns)
        said["network"][scored] = network(
            everything.where(~scored & ~chooses), everything.where(chooses), everything.where(scored),
            work / f"{cut}-{number}",
        )  # fmt: skip
    return said


def network(train: Rows, chooses: Rows, asked: Rows, folder: Path) -> Floats:
    """Train the demo's network, and return what it says of the rows `asked`."""
    params = typed(read_params(ROOT / "params.yaml"), TASK.name, TASK.params)
    (folder / "model").mkdir(parents=True)
    run = Run(
        TASK.name, ROOT, folder / "model", folder, folder / "resume",
        EventLog(folder / "events.jsonl"), {"params": {}, "key": folder.name},
    )  # fmt: skip
    TASK.fit(train, chooses, params, run)
    said: Floats = TASK.predictor(read_bundle(folder / "model"), params)(asked)[:, 0]
    return said


def scores(
    said: Floats, hb: Floats, eyes: npt.NDArray[np.generic], mean: Floats
) -> dict[str, tuple[float, float, float]]:
    """Return MAE, R² and skill, each with its interval by eye."""

    def statistics(rows: npt.NDArray[np.int64]) -> list[float]:
        own = regression_scores(said[rows, None], hb[rows, None], ())
        trivial = regression_scores(mean[rows, None], hb[rows, None], ())
        return [own["mae"], own["r2"], 1 - own["mae"] / trivial["mae"]]

    whole = statistics(np.arange(len(hb)))
    spans = group_intervals(eyes, statistics, 1000, 0.95, SEED)
    return {name: (value, *span) for name, value, span in zip(SCORES, whole, spans, strict=True)}


def picture(found: Sequence[Mapping[str, Any]]) -> str:
    """Return R² of every predictor on every cut as a PNG data URL."""
    figure = Figure(figsize=(8, 3.4), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0, color="0.6", linewidth=1)
    names = list(dict.fromkeys(row["predictor"] for row in found))
    cuts = list(dict.fromkeys(row["folds"] for row in found))
    for place, name in enumerate(names):
        values = np.array([row["R²"] for row in found if row["predictor"] == name])
        at = np.arange(len(cuts)) + (place - 1) * 0.2
        spread = np.abs(values[:, 1:].T - values[:, 0])
        axes.errorbar(at, values[:, 0], spread, fmt="o", capsize=3, label=name)
    axes.set_xticks(range(len(cuts)), [f"folds by {cut}" for cut in cuts])
    axes.set_ylabel("R² (95 % interval by eye)")
    axes.legend(frameon=False)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def report(found: Sequence[Mapping[str, Any]], subtitle: str, page: Path | None) -> None:
    """Print the table; with a path, write the page too."""
    rows = [
        {key: "{:.3f} [{:.3f}, {:.3f}]".format(*value) if key in SCORES else value
         for key, value in row.items()}
        for row in found
    ]  # fmt: skip
    with pl.Config(tbl_rows=-1, tbl_cols=-1, fmt_str_lengths=40, tbl_width_chars=140):
        print(pl.DataFrame(rows))
    if page is not None:
        write_page(
            page, "table", title="CP-AnemiC: what each gate is worth", subtitle=subtitle,
            picture=picture(found), rows=rows, notes=(__doc__ or "").split("\n\n")[2:],
        )  # fmt: skip


def main() -> None:
    """Measure all cuts, print the table, and write the page where one is asked for."""
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        table, pixels, subtitle = load(Path(sys.argv[1]).resolve(), work)
        print(subtitle)
        hb, eyes = table["hb"].to_numpy().astype(np.float32), table["eye"].to_numpy()
        found = []
        for cut in track(("random", "content", "eye", "control"), "cuts"):
            said = predictions(table, pixels, cut, work)
            groups = table[cut].n_unique()
            found += [
                {"folds": cut, "groups": groups, "predictor": name}
                | scores(values, hb, eyes, said["mean"])
                for name, values in said.items()
            ]
    report(found, subtitle, Path(sys.argv[2]) if len(sys.argv) > 2 else None)


if __name__ == "__main__":
    main()
