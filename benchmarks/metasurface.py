"""What symmetry is worth on 520 solved structures: R² against the mean spectrum, five splits.

    python benchmarks/metasurface.py <folder of metasurface_rcwa> [symmetry …]

On each of five random splits (416 and 104 structures) `cnn_cell` is trained once a symmetry, through the
task's own fit, preflight and law gate included, with an equal number of steps. The epoch is the best of
2 (full32) to 32 (none) on the very 104, so R² flatters, `none` most. Printed: R² of the plain prediction,
and of the one averaged over the maps of full32. About 2.5 CPU minutes a training.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from assay.contract.bundle import read_bundle
from assay.learning.scoring import score
from assay.lookup import find_task
from assay.manifest.rows import Rows
from assay.params import read_params
from assay.runs.events import EventLog
from assay.runs.run import Run
from assay.systems.spectra.optics.symmetry import SYMMETRIES
from assay.systems.spectra.tasks.params import BayerParams
from assay.values import typed

NAME = "spectra-bayer"
TASK = find_task(NAME)
EPOCHS = {"none": 32, "rot180": 16, "shift8": 8, "full32": 2}  # views: 416 × 1, 2, 4, 16
MODEL = {
    "network": "cnn_cell", "input_size": 64, "stem": 16, "stages": [64, 96, 128], "blocks": 1,
    "dropout_cnn": 0.0, "dropout_head": 0.2,
}  # fmt: skip
TRAIN = {"batch_size": 64, "lr": 2e-3, "weight_decay": 0.05, "w_corr": 0.0, "warmup_share": 0.1}


def read(folder: Path) -> Rows:
    """Return the computed structures, 30 of 301 bins, as the pipeline stores them."""
    parts: dict[str, list[Any]] = {"binary_dataset_128": [], "spectra_latest": [], "valid": []}
    for number in (0, 1):
        for name, found in parts.items():
            stem = "spectra_latest_valid" if name == "valid" else name
            found.append(np.load(folder / f"{stem}_{number}.npy"))
    bits, spectra, valid = (np.concatenate(found) for found in parts.values())
    red, green, blue = np.moveaxis(
        -spectra[valid == 1][..., np.linspace(0, 300, 30, dtype=int)], 1, 0
    )
    bayer = np.stack([np.stack([red, green], 1), np.stack([green, blue], 1)], 1)
    names = np.array([f"s{number:03d}" for number in range(len(bayer))])
    images = np.moveaxis(bits[valid == 1], 1, -1)
    return Rows({"image": images}, {"sample_id": names, "group_id": names, "bayer": bayer})


def parameters(symmetry: str, *, average: bool = False) -> BayerParams:
    """Return the section with this benchmark's values."""
    content = read_params(Path(__file__).parents[1] / "params.yaml")
    content[NAME]["model"] |= MODEL
    content[NAME]["train"] |= {
        **TRAIN,
        "epochs": EPOCHS[symmetry],
        "symmetry": symmetry,
        "average": average,
    }
    return typed(content, NAME, BayerParams)


def trained(train: Rows, valid: Rows, symmetry: str, folder: Path) -> tuple[float, float]:
    """Train once; return the skill of plain and of averaged predictions."""
    how = parameters(symmetry)
    run = Run(NAME, folder, folder, folder, folder / "resume", EventLog(folder / "events.jsonl"))
    with contextlib.redirect_stdout(io.StringIO()):
        TASK.fit(train, valid, how, run)
    averaged = parameters("full32", average=True)
    return skill(train, valid, how, folder), skill(train, valid, averaged, folder)


def skill(train: Rows, valid: Rows, how: BayerParams, folder: Path) -> float:
    """Return R² against the training rows' mean spectrum."""
    said = TASK.predictor(read_bundle(folder), how)(valid)
    scored = score(
        TASK, said, TASK.baseline(train, valid), TASK.labels(valid), valid.columns["group_id"],
        how.evaluate,
    )  # fmt: skip
    return float(scored["skill"]["value"])


def main() -> None:
    """Print a line a training, then the means."""
    rows = read(Path(sys.argv[1]))
    for symmetry in sys.argv[2:] or SYMMETRIES:
        found = []
        for split in range(5):
            order = np.random.default_rng(split).permutation(len(rows))
            chosen = np.isin(np.arange(len(rows)), order[:416])
            start = time.process_time()
            with tempfile.TemporaryDirectory() as folder:
                found.append(
                    trained(rows.where(chosen), rows.where(~chosen), symmetry, Path(folder))
                )
            spent = time.process_time() - start
            said = f"{found[-1][0]:.3f}, averaged {found[-1][1]:.3f}"
            print(f"{symmetry} split {split}: {said}, {spent:.0f} s CPU", flush=True)
        plain, averaged = (statistics.mean(each) for each in zip(*found, strict=True))
        print(f"{symmetry}: mean R² {plain:.3f}, averaged {averaged:.3f}", flush=True)


if __name__ == "__main__":
    main()
