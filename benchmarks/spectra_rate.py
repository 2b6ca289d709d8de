"""Samples a second of a spectra training: Assay's loop against a bare PyTorch loop on the same model.

    python benchmarks/spectra_rate.py [steps, 12]

Bare: twins as tensors in memory, float inputs made beforehand, forward, loss, backward, clipping, AdamW.
Assay: the task's own plan, whose structures are lazy views, through `learning.fit`, one epoch with a
validation of one batch. The founding network (128 px, memory tokens, position quadrant) and the demo's.
CPU seconds of one thread, three rounds in turn after one that warms up. The founders' 1,338 samples/s
(a 12 GB GPU, derived from their 2.5 minutes an epoch) are of the founding network at batch 400.
"""

from __future__ import annotations

import contextlib
import io
import logging
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from assay.learning.determinism import set_determinism
from assay.learning.fit import fit
from assay.learning.training_spec import PreparedTraining
from assay.lookup import find_task
from assay.manifest.rows import Rows
from assay.params import read_params
from assay.runs.events import EventLog
from assay.runs.run import Run
from assay.systems.spectra.optics.physics import spectra_of
from assay.systems.spectra.optics.structures import random_structures
from assay.systems.spectra.tasks.params import BayerParams
from assay.values import typed

NAME, ROUNDS, BATCH = "spectra-bayer", 3, 32
TASK = find_task(NAME)
FOUNDING = {
    "input_size": 128, "stem": 64, "stages": [96, 128, 192, 256], "blocks": 2, "width": 256, "heads": 8,
    "layers": 4,
}  # fmt: skip


def parameters(model: dict[str, Any]) -> BayerParams:
    """Return the section with another network, for one epoch."""
    content = read_params(Path(__file__).parents[1] / "params.yaml")
    content[NAME]["model"] |= model
    content[NAME]["train"] |= {"epochs": 1, "batch_size": BATCH, "warmup_share": 0.0}
    return typed(content, NAME, BayerParams)


def structures(count: int) -> Rows:
    """Return phantom structures as training gets them."""
    images = random_structures(count, np.random.default_rng(0))
    names = np.array([str(number) for number in range(count)])
    return Rows(
        {"image": images[..., None]}, {"sample_id": names, "bayer": spectra_of(images, bins=30)}
    )


def prepared(how: BayerParams, train: Rows) -> PreparedTraining:
    """Return the task's own training, with a validation of one batch."""
    with contextlib.redirect_stdout(io.StringIO()):
        return TASK.learner(how).prepare(train, train.where(np.arange(len(train)) < BATCH))


def bare(how: BayerParams, train: Rows) -> float:
    """Return the CPU seconds of the plain loop's steps."""
    ready = prepared(how, train)
    network, loss_of, learns = ready.spec.network, ready.spec.loss, ready.train
    inputs = ready.spec.preprocess(torch.from_numpy(learns.images[:]), True)
    targets = torch.from_numpy(learns.targets)
    optimizer = torch.optim.AdamW(network.parameters(), how.train.lr)
    start = time.process_time()
    for rows in torch.randperm(len(inputs)).split(BATCH):
        optimizer.zero_grad()
        loss_of(network(inputs[rows]), targets[rows]).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return time.process_time() - start


def ours(how: BayerParams, train: Rows) -> float:
    """Return the CPU seconds of `fit`: views, steps, one batch of validation, history, weights."""
    ready = prepared(how, train)
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()):
        folder = Path(place)
        run = Run(
            NAME, folder, folder, folder, folder / "resume", EventLog(folder / "events.jsonl")
        )
        run.resume.mkdir()
        start = time.process_time()
        fit(ready.spec, ready.train, ready.valid, run)
        return time.process_time() - start


def main() -> None:
    """Print a line for each network and way."""
    set_determinism(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    for name, model, more in (("founding", FOUNDING, 1), ("demo", {}, 10)):
        train, how = structures(steps * more * BATCH // 2), parameters(model)
        spent: dict[str, list[float]] = {"bare": [], "Assay": []}
        for number in range(ROUNDS + 1):
            for way, kept in spent.items():
                seconds = (bare if way == "bare" else ours)(how, train)
                if number:
                    kept.append(seconds)
        ratio = statistics.median(a / b for a, b in zip(*spent.values(), strict=True))
        for way, kept in spent.items():
            print(
                f"{name} {way}: {2 * len(train) / statistics.median(kept):.1f} samples/s",
                flush=True,
            )
        print(f"{name}: bare / Assay {ratio:.3f}", flush=True)


if __name__ == "__main__":
    main()
