"""Preflight of the transforms: augmentation draws anew for each image and step, and from the seed.

Augmentation is drawn in the main process (`TrainingSpec.transform`, seeded before every step), not by the
loader's workers: one that inherits a generator, and repeats its neighbour's draws, cannot occur. What can
go wrong is one draw for a whole batch, draws from a generator that the seed does not reach (resume would
not be exact), augmented validation, and workers that hand over something else than the stored rows.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from assay.contract.checks import Check
from assay.gates.preflight_calls import calling
from assay.learning.data import BatchDataset, train_loader
from assay.learning.determinism import reseed

if TYPE_CHECKING:
    from assay.learning.training_spec import Inputs, TrainData, TrainingSpec
    from assay.sections.machine import Workers

EXPECTED = "another view for each image and batch from torch's generator, none in validation"
COPIES = 16  # of one image in a batch; a fair coin falls 16 times alike once in 33,000
STEPS = 4  # batches


def judge_transforms(spec: TrainingSpec, train: TrainData, num_workers: Workers) -> list[Check]:
    """Return the check of augmentation, and that of the workers where there are any and it fails.

    Passed, it is not told: the verdict is an output, and their number changes none.
    """
    draws = _draws(spec, train)
    count = 2 if num_workers == "auto" else num_workers
    if count and not (workers := _workers(spec, train, count)).passed:
        return [draws, workers]
    return [draws]


def _draws(spec: TrainingSpec, train: TrainData) -> Check:
    """Show one image many times: differing views in training, always one in validation."""
    row = _most_varied(train)

    def views(step: int, training: bool) -> list[bytes]:
        reseed(spec.config.seed, step)
        batch = BatchDataset(train).__getitems__([row] * COPIES)
        with calling("draws", moved_by(spec), EXPECTED):
            return _samples(spec.transform(*batch, training=training)[0])

    plain = [views(step, False) for step in range(2)]
    drawn = [views(step, True) for step in range(STEPS)]
    different = len({view for step in drawn for view in step})
    faults = [] if len({*plain[0], *plain[1]}) == 1 else ["validation's views differ"]
    if different > 1 and max(len(set(step)) for step in drawn) == 1:
        faults.append("all images of a batch get the same draw")
    if different > 1 and len({tuple(step) for step in drawn}) == 1:
        faults.append("every batch gets the same draws")
    if drawn[0] != views(0, True):
        faults.append("equal seeds give different draws: a generator that is not torch's")
    found = f"{different} views of one image in {COPIES * STEPS} draws"
    if different == 1:
        found += ": no augmentation"
    return Check(
        "draws", not faults, EXPECTED, "; ".join([*faults, found]), COPIES * (STEPS + 3),
        mend="draw for each image, with torch, and only in training" if faults else "",
    )  # fmt: skip


def moved_by(spec: TrainingSpec) -> str:
    """Return the fields that make of a stored batch what network and loss are fed."""
    moves = [name for name in ("geometry", "together") if getattr(spec, name) is not None]
    return "TrainingSpec." + " or ".join([*moves, "preprocess"])


def _most_varied(train: TrainData) -> int:
    """Return a row whose image a move changes: of the first 32 the one with the most contrast."""
    return int(np.argmax([image.std() for image in train.images[:32]]))


def _samples(inputs: Inputs) -> list[bytes]:
    tensors = (inputs,) if isinstance(inputs, Tensor) else inputs
    return [b"".join(_bytes(part) for part in sample) for sample in zip(*tensors, strict=True)]


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().numpy().tobytes()


def _workers(spec: TrainingSpec, train: TrainData, count: int) -> Check:
    """Fetch two batches from each worker: the stored rows, as the main process would fetch them."""
    config = spec.config
    ours, theirs = (
        train_loader(train, config.batch_size, config.seed, workers, spec.balanced)
        for workers in (0, count)
    )
    batches = list(islice(zip(ours, theirs, strict=True), 2 * count))
    differing = [
        number
        for number, (one, other) in enumerate(batches)
        if not all(torch.equal(*pair) for pair in zip(one, other, strict=True))
    ]
    found = f"{len(differing)} of {len(batches)} batches differ from the stored rows"
    expected = "workers hand over the stored rows and draw nothing"
    mend = "augment in the plan's `preprocess` or `geometry`" if differing else ""
    return Check("workers", not differing, expected, found, len(batches), differing, mend)
