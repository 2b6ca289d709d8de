"""Preflight of one batch of either set: what a step of training does, and the end of an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from assay.contract.checks import Check
from assay.gates.preflight_calls import calling
from assay.gates.preflight_labels import takes_integers
from assay.gates.preflight_transforms import moved_by
from assay.learning.data import BatchDataset
from assay.learning.determinism import reseed
from assay.learning.inference import device_at_hand

if TYPE_CHECKING:
    from assay.learning.training_spec import Floats, TrainData, TrainingSpec

FIRST = "first loss"
STEP = "network and loss take a batch"
VALID = "validation"
EPOCH = "a validation batch goes through network, loss, decode, metrics and rank"


def judge_train_batch(spec: TrainingSpec, network: nn.Module, train: TrainData) -> Iterator[Check]:
    """Do what the first step will do, up to its loss."""
    reseed(spec.config.seed, 0)
    batch = _batch(spec, train)
    count = len(batch[0])
    with calling(FIRST, moved_by(spec), STEP, count):
        inputs, targets = spec.transform(*batch, training=True)
    with calling(FIRST, "TrainingSpec.network", STEP, count):
        outputs = network(inputs)
    shapes = _shapes(spec, outputs, targets)
    yield shapes
    if shapes.passed:
        fed = f"TrainingSpec.loss of outputs {tuple(outputs.shape)}, labels {tuple(targets.shape)}"
        with calling(FIRST, fed, STEP, count):
            loss = torch.as_tensor(spec.loss(outputs, targets))
        yield _loss(loss)


def try_valid_batch(spec: TrainingSpec, network: nn.Module, valid: TrainData) -> None:
    """Do what an epoch's end will do, with the predictions of one batch, repeated for all rows.

    Passed, it is not told. A plan may hold predictions against all validation rows: so many there are.

    Args:
        spec: the plan.
        network: a copy, which is put into eval mode.
        valid: the set.

    Raises:
        PlanError: a function of the plan raised.
    """
    batch = _batch(spec, valid)
    with torch.no_grad():
        with calling(VALID, moved_by(spec), EPOCH):
            inputs, targets = spec.transform(*batch, training=False)
        with calling(VALID, "TrainingSpec.network", EPOCH):
            outputs = network.eval()(inputs).float()
        with calling(VALID, "TrainingSpec.loss", EPOCH):
            row = {
                "epoch": 0.0,
                "train_loss": 0.0,
                "valid_loss": float(spec.loss(outputs, targets)),
            }
        if spec.loss_terms is not None:
            with calling(VALID, "TrainingSpec.loss_terms", EPOCH):
                terms = spec.loss_terms(outputs, targets)
                row |= {f"valid_{name}": float(term) for name, term in terms.items()}
        with calling(VALID, "TrainingSpec.decode", EPOCH):
            said = (outputs if spec.decode is None else spec.decode(outputs)).cpu().numpy()
    _score(spec, np.resize(said, (len(valid.targets), *said.shape[1:])), valid, row)


def _score(spec: TrainingSpec, said: Floats, valid: TrainData, row: dict[str, float]) -> None:
    size = spec.config.batch_size
    stored = [valid.targets[at : at + size].copy() for at in range(0, len(valid.targets), size)]
    with calling(VALID, "TrainingSpec.targets", EPOCH):
        parts = [spec.targets.for_loss(torch.from_numpy(part)).numpy() for part in stored]
    targets = np.concatenate(parts)
    fed = f" of predictions {said.shape}, targets {targets.shape}"
    with calling(VALID, "TrainingSpec.metrics" + fed, EPOCH):
        metrics = {name: float(value) for name, value in spec.metrics(said, targets).items()}
    row |= metrics
    with calling(VALID, f"TrainingSpec.rank of {', '.join(row)}", EPOCH):
        bool(spec.rank(row) < spec.rank(row))


def _batch(spec: TrainingSpec, part: TrainData) -> tuple[Tensor, ...]:
    rows = list(range(min(spec.config.batch_size, len(part.images))))
    device = device_at_hand(spec.config)
    return tuple(each.to(device) for each in BatchDataset(part).__getitems__(rows))


def _shapes(spec: TrainingSpec, outputs: Any, targets: Tensor) -> Check:
    """Compare what the network says with what the loss is fed, before torch broadcasts the one."""
    said = tuple(outputs.shape) if isinstance(outputs, Tensor) else (type(outputs).__name__,)
    fed = tuple(targets.shape)
    fits, expected = spec.targets.fits(said, fed, takes_integers(spec.loss))
    mend = "" if fits else "TrainingSpec.network, or TrainingSpec.targets"
    return Check(
        "label shape", fits, expected, f"outputs {said}, labels {fed}", len(targets), mend=mend
    )


def _loss(loss: Tensor) -> Check:
    fits = loss.ndim == 0 and bool(torch.isfinite(loss)) and loss.requires_grad
    found = f"{loss.item():.4g}" if loss.ndim == 0 else f"shape {tuple(loss.shape)}"
    if not loss.requires_grad:
        found += ", without a gradient"
    mend = "" if fits else "TrainingSpec.loss"
    return Check(FIRST, fits, "one finite number that has a gradient", found, 1, mend=mend)
