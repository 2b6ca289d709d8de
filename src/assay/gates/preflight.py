"""Preflight: the first act of training, on a copy of the network; label/loss mistakes end here.

A label that does not have the shape or type of the output is the founding mistake (one-hot fed to an
integer loss; (n,) against (n, 1), which torch broadcasts to n × n without a word).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from assay.gates.verdict import Check, Verdict
from assay.learning.determinism import reseed
from assay.learning.plan import Plan, Set


def preflight(task: str, plan: Plan, train: Set, valid: Set, path: Path) -> None:
    """Judge data, labels and network of a plan, and write the verdict to `path`.

    Raises:
        GateError: a check failed.
    """
    checks = [_images(train, valid), _labels(train, valid)]
    if all(check.passed for check in checks):
        checks += _network(plan, train)
    Verdict("preflight", task, checks).settle(path)


def _images(train: Set, valid: Set) -> Check:
    shapes = [tuple(part.images.shape) for part in (train, valid)]
    fits = all(
        part.images.dtype == np.uint8
        and part.images.ndim == 4
        and part.images.shape[3] == 3
        and len(part.images) == len(part.targets) > 0
        for part in (train, valid)
    )
    found = f"train {shapes[0]}, validation {shapes[1]}, {train.images.dtype}"
    expected = "uint8 (n, h, w, 3), one label each, neither part empty"
    return Check("images", fits, expected, found, len(train.images) + len(valid.images))


def _labels(train: Set, valid: Set) -> Check:
    faults = []
    for name, part in (("train", train), ("validation", valid)):
        if part.targets.dtype != np.float32 or part.targets.ndim != 2:
            faults.append(f"{name} {part.targets.dtype} {part.targets.shape}")
        elif not np.isfinite(part.targets).all():
            faults.append(f"{name} has {int((~np.isfinite(part.targets)).sum())} not finite")
    spread = [float(part.targets.std()) for part in (train, valid)] if not faults else []
    if spread and min(spread) == 0:
        faults.append("all labels of a part are equal: nothing can be learned or scored")
    found = "; ".join(faults) or f"float32 {train.targets.shape}, spread {spread[0]:.3g}"
    expected = "float32 (n, outputs), finite, not all equal"
    return Check("labels", not faults, expected, found, len(train.targets) + len(valid.targets))


def _network(plan: Plan, train: Set) -> list[Check]:
    """Send one batch through a copy: shapes agree, the loss is a number, gradients reach all."""
    reseed(plan.loop.seed, 0)
    network = copy.deepcopy(plan.network).train()
    images = torch.from_numpy(np.ascontiguousarray(train.images[: plan.loop.batch]))
    targets = torch.from_numpy(train.targets[: plan.loop.batch])
    outputs = network(plan.prepare(images, True))
    shapes = _shapes(outputs, targets)
    if not shapes.passed:
        return [shapes]
    loss = plan.loss(outputs, targets)
    loss.backward()  # type: ignore[no-untyped-call]
    return [_modes(plan.network), shapes, _loss(loss), _gradients(network, _trained(plan))]


def _modes(network: nn.Module) -> Check:
    """Batch norm left in eval mode trains against random statistics, and Lightning keeps it there."""
    asleep = [
        name
        for name, module in network.named_modules()
        if not module.training and any(value.requires_grad for value in module.parameters(False))
    ]
    modules = sum(1 for _ in network.modules())
    found = f"{len(asleep)} of {modules} modules in eval mode"
    return Check(
        "modes", not asleep, "every trained module in training mode", found, modules, asleep
    )


def _shapes(outputs: Tensor, targets: Tensor) -> Check:
    fits = outputs.shape == targets.shape
    found = f"outputs {tuple(outputs.shape)}, labels {tuple(targets.shape)}"
    return Check("label shape", fits, "outputs and labels of one shape", found, len(targets))


def _loss(loss: Tensor) -> Check:
    fits = loss.ndim == 0 and bool(torch.isfinite(loss))
    found = f"{loss.item():.4g}" if loss.ndim == 0 else f"shape {tuple(loss.shape)}"
    return Check("first loss", fits, "one finite number", found, 1)


def _trained(plan: Plan) -> set[str]:
    ours = {id(parameter) for part in plan.parts for parameter in part.parameters}
    return {name for name, value in plan.network.named_parameters() if id(value) in ours}


def _gradients(network: nn.Module, trained: set[str]) -> Check:
    unreached: Sequence[str] = [
        name
        for name, value in network.named_parameters()
        if name in trained and (value.grad is None or not bool(torch.isfinite(value.grad).all()))
    ]
    found = f"{len(trained) - len(unreached)} of {len(trained)} tensors reached"
    return Check(
        "gradients",
        not unreached,
        "a finite gradient in every trained tensor",
        found,
        len(trained),
        unreached,
    )
