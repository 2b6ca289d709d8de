"""Train with Assay's loop, with a bare PyTorch loop, and with Lightning as it is usually set up.

    python benchmarks/loop.py [epochs, 3] [steps an epoch, 40]

All train the same network from the same weights, with the same data, order, AdamW, schedule, validation
and one thread, and reseed before every step as Assay does; the bare loop and Assay must end with equal
weights, which is checked. Bare (the limit) keeps nothing. Assay (`learning.fit`) also logs, keeps the
best weights and a resume state every epoch. Usual (naive) is Lightning with a CSV log of every step and
a progress bar, and keeps a checkpoint an epoch. No augmentation, which would hide the loop.
Two networks: timm's test_resnet at 64 px, about 50 ms a step, and three small layers at 32 px. CPU
seconds, medians of rounds in turn, the turn reversed each round. On a busy machine the first network's
ratio moves by 0.05 and more; what Assay adds to a step is read more surely from the second.
Goal: bare / Assay at least 0.95 from 50 ms a step.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import timm
import torch
from lightning.pytorch.loggers import CSVLogger
from safetensors.torch import load_file
from torch import nn

from assay.learning.data import plain_loader, train_loader
from assay.learning.determinism import reseed, set_determinism
from assay.learning.fit import fit
from assay.learning.module import Training
from assay.learning.schedules import factor, warmup_cosine
from assay.learning.scores import regression_scores
from assay.learning.targets import Values
from assay.learning.training_spec import ParamGroup, TrainData, TrainingSpec
from assay.learning.transforms import Preprocess
from assay.runs.events import EventLog
from assay.runs.record import WEIGHTS
from assay.runs.run import Run
from assay.sections.task import Train

ROUNDS, PEAK = 4, 1e-3


def config(epochs: int, batch_size: int) -> Train:
    """Return the section of a task that trains on one thread of the CPU."""
    return Train(
        fold=0, epochs=epochs, batch_size=batch_size, weight_decay=1e-4, seed=0, threads=1,
        device="cpu", precision="32-true",
    )  # fmt: skip


class UsualTraining(Training):
    """The same step, logged each time."""

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        loss = super().training_step(batch, batch_idx)
        self.log("loss", loss, prog_bar=True, on_step=True, on_epoch=True)
        return loss


def networks() -> dict[str, tuple[nn.Module, int, int]]:
    """Return each network with its image size and batch."""
    torch.manual_seed(0)
    tiny = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 1),
    )  # fmt: skip
    resnet = timm.create_model("test_resnet", num_classes=1)
    return {"timm test_resnet": (resnet, 64, 24), "three layers": (tiny, 32, 8)}


def rows(count: int, size: int) -> TrainData:
    """Return noise whose mean is the target."""
    random = np.random.default_rng(count)
    images = random.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    return TrainData(images, images.mean(axis=(1, 2, 3))[:, None].astype(np.float32))


def make_plan(network: nn.Module, size: int, how: Train) -> TrainingSpec:
    """Return the plan of a copy of `network`; the last epoch ranks best, so all weights are kept."""
    own = copy.deepcopy(network)
    schedule = warmup_cosine(how.epochs, 1, PEAK, PEAK / 100)
    return TrainingSpec(
        network=own,
        loss=nn.SmoothL1Loss(),
        preprocess=Preprocess([], size),
        metrics=lambda predicted, true: regression_scores(predicted, true, (1.0,)),
        rank=lambda row: (-row["epoch"],),
        param_groups=[ParamGroup("all", list(own.parameters()), schedule, PEAK)],
        config=how,
        targets=Values(0, 255),
    )


def bare(spec: TrainingSpec, train: TrainData, valid: TrainData) -> nn.Module:
    """Train as one would write it on one page."""
    how, network = spec.config, spec.network
    set_determinism(how.threads)
    loader, check = (
        train_loader(train, how.batch_size, how.seed, 0),
        plain_loader(valid, how.batch_size),
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK, weight_decay=how.weight_decay)
    shape = factor(spec.param_groups[0].schedule, PEAK, len(loader))
    schedule, step = torch.optim.lr_scheduler.LambdaLR(optimizer, shape), 0
    for epoch in range(how.epochs):
        loader.sampler.set_epoch(epoch)
        network.train()
        losses = []
        for images, targets in loader:
            reseed(how.seed, step)
            loss = spec.loss(network(spec.preprocess(images, True)), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
            step += 1
        network.eval()
        with torch.inference_mode():
            pairs = [(network(spec.preprocess(images, False)), labels) for images, labels in check]
        predicted, true = (torch.cat(part).numpy() for part in zip(*pairs, strict=True))
        print(epoch, float(torch.stack(losses).mean()), spec.metrics(predicted, true))
    return network


def assay(
    spec: TrainingSpec, train: TrainData, valid: TrainData, folder: Path
) -> dict[str, torch.Tensor]:
    """Train as a stage does, and return the weights it wrote."""
    run = Run("t", folder, folder, folder, folder / "resume", EventLog(folder / "events.jsonl"))
    run.resume.mkdir(exist_ok=True)
    fit(spec, train, valid, run)
    shutil.rmtree(run.resume)
    return load_file(folder / WEIGHTS)


def usual(spec: TrainingSpec, train: TrainData, valid: TrainData, folder: Path) -> None:
    """Train with Lightning's own habits, logging every step."""
    loader = train_loader(train, spec.config.batch_size, spec.config.seed, 0)
    trainer = L.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=spec.config.epochs,
        deterministic=True,
        logger=CSVLogger(folder),
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )
    trainer.fit(
        UsualTraining(spec, len(loader)), loader, plain_loader(valid, spec.config.batch_size)
    )


def timed(way: Callable[[], Any]) -> tuple[float, Any]:
    """Return CPU seconds and the answer; what is printed is swallowed."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        start = time.process_time()
        answer = way()
        return time.process_time() - start, answer


def measure(network: nn.Module, size: int, how: Train, steps: int) -> dict[str, list[float]]:
    """Train all three ways in turn; the first round warms up and does not count."""
    train, valid = rows(steps * how.batch_size, size), rows(5 * how.batch_size, size)
    times: dict[str, list[float]] = {"usual": [], "Assay": [], "bare": []}
    for round_ in range(ROUNDS + 1):
        plans = {name: make_plan(network, size, how) for name in times}
        with tempfile.TemporaryDirectory() as place:
            (Path(place) / "usual").mkdir()
            ways = {
                "usual": partial(usual, plans["usual"], train, valid, Path(place) / "usual"),
                "Assay": partial(assay, plans["Assay"], train, valid, Path(place)),
                "bare": partial(bare, plans["bare"], train, valid),
            }
            turn = sorted(ways, reverse=round_ % 2 == 0)
            answers = {name: timed(ways[name]) for name in turn}
        kept, plain = answers["Assay"][1], answers["bare"][1].state_dict()
        assert all(torch.equal(kept[name], value) for name, value in plain.items())
        if round_:
            for name, (seconds, _) in answers.items():
                times[name].append(seconds)
    return times


def main() -> None:
    """Measure both networks, and print step times and ratios."""
    epochs, steps = [int(value) for value in sys.argv[1:]] or (3, 40)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    for name, (network, size, batch) in networks().items():
        few = steps if size == 64 else 5 * steps
        times = measure(network, size, config(epochs, batch), few)
        weights = sum(value.numel() for value in network.parameters())
        print(f"{name}, {weights:,} weights, {batch} × {size} px, {epochs} epochs of {few} steps")
        for way, values in times.items():
            ratio = statistics.median(a / b for a, b in zip(times["bare"], values, strict=True))
            each = 1000 * statistics.median(values) / (epochs * few)
            print(f"  {way:6s} {each:7.2f} ms a step, all told   bare / this: {ratio:.3f}")
        more = statistics.median(a - b for a, b in zip(times["Assay"], times["bare"], strict=True))
        added = 1000 * more / (epochs * few)
        print(f"  Assay adds {added:.2f} ms a step: {50 / (50 + added):.3f} at 50 ms a step")
    print("equal weights from Assay and the bare loop: yes")
    print("goal: bare / Assay at least 0.95 from 50 ms a step")


if __name__ == "__main__":
    main()
