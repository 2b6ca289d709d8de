"""Preflight of the network: modes, shapes, the first loss, gradients, frozen parts, over-fitting."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from assay.contract.checks import Check
from assay.gates.preflight_labels import INTEGER_LOSSES
from assay.gates.preflight_overfit import judge_overfit, overfit, questions
from assay.learning.data import BatchDataset
from assay.learning.determinism import reseed
from assay.learning.inference import device_at_hand
from assay.learning.schedules import rate
from assay.learning.targets import Classes, Joint, Points

if TYPE_CHECKING:
    from assay.gates.preflight_overfit import Overfit
    from assay.learning.training_spec import TrainData, TrainingSpec

WITHIN = 0.5  # epochs: a part without a rate here is frozen at first, and thawed by its schedule


@dataclass(frozen=True)
class Tensors:
    """Names of the network's parameters, by what the plan does with them.

    Attributes:
        early: in a part that learns from the first epoch.
        late: in a part whose rate is 0 at first.
        never: in no part.
    """

    early: frozenset[str]
    late: frozenset[str]
    never: frozenset[str]


def judge_network(spec: TrainingSpec, train: TrainData) -> list[Check]:
    """Send a training batch through a copy, and let the copy learn four images by heart.

    In 32 bits, on the plan's device. Rows of a verdict are names of tensors and modules.
    """
    tensors = _tensors(spec)
    checks = [_modes(spec.network, tensors)]
    if tensors.late or tensors.never:
        checks.append(_still(spec.network, tensors))
    network = copy.deepcopy(spec.network).to(device_at_hand(spec.config))
    for name, value in network.named_parameters():
        # A part that is thawed later must be reached then: on the copy that is now.
        value.requires_grad_(value.requires_grad or name in tensors.late)
    first = _first(spec, network, train)
    checks += first
    if not all(check.passed for check in first):
        return checks
    trained = tensors.early | tensors.late
    learned = {
        what: overfit(spec, copy.deepcopy(network), asked, trained)
        for what, asked in questions(spec.targets, train).items()
    }
    checks.append(_gradients(list(learned.values()), tensors))
    if tensors.never:
        checks.append(_frozen(list(learned.values()), tensors))
    return [*checks, *(judge_overfit(found, what) for what, found in learned.items())]


def _tensors(spec: TrainingSpec) -> Tensors:
    early, late = set[int](), set[int]()
    for part in spec.param_groups:
        learns = rate(part.schedule, WITHIN) > 0
        (early if learns else late).update(map(id, part.parameters))
    named = [(name, id(value)) for name, value in spec.network.named_parameters()]
    return Tensors(
        frozenset(name for name, number in named if number in early),
        frozenset(name for name, number in named if number in late),
        frozenset(name for name, number in named if number not in early | late),
    )


def _own(name: str, module: nn.Module) -> set[str]:
    dot = f"{name}." if name else ""
    return {dot + own for own, _ in module.named_parameters(recurse=False)}


def _modes(network: nn.Module, tensors: Tensors) -> Check:
    """Batch norm left in eval mode trains against random statistics, and Lightning keeps it there."""
    asleep = [
        name
        for name, module in network.named_modules()
        if not module.training and _own(name, module) & tensors.early
    ]
    modules = sum(1 for _ in network.modules())
    found = f"{len(asleep)} of {modules} modules in eval mode"
    expected = "every trained module in training mode"
    mend = "network.train(), then eval() for what is frozen" if asleep else ""
    return Check("modes", not asleep, expected, found, modules, asleep, mend)


def _still(network: nn.Module, tensors: Tensors) -> Check:
    """A frozen batch norm in training mode is not frozen: its statistics move with every batch."""
    frozen = tensors.late | tensors.never
    norms = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)  # noqa: SLF001  all its kinds
        and _own(name, module) & frozen
    }
    moving = [name for name, module in norms.items() if module.training]
    found = f"{len(moving)} of {len(norms)} in training mode"
    expected = "every frozen batch norm in eval mode"
    mend = "eval() for the frozen part" if moving else ""
    return Check("frozen batch norm", not moving, expected, found, len(norms), moving, mend)


def _first(spec: TrainingSpec, network: nn.Module, train: TrainData) -> list[Check]:
    """Do what the first step will do, up to its loss."""
    reseed(spec.config.seed, 0)
    rows = list(range(min(spec.config.batch_size, len(train.images))))
    images, targets = (
        part.to(device_at_hand(spec.config)) for part in BatchDataset(train).__getitems__(rows)
    )
    try:
        inputs, targets = spec.transform(images, targets, True)
        outputs = network(inputs)
        shapes = _shapes(spec, outputs, targets)
        if not shapes.passed:
            return [shapes]
        return [shapes, _loss(spec.loss(outputs, targets))]
    except torch.OutOfMemoryError:
        raise
    except (IndexError, RuntimeError, TypeError, ValueError) as fault:
        found = f"{type(fault).__name__}: {str(fault).partition(chr(10))[0]}"
        return [Check("first loss", False, "network and loss take a batch", found, len(rows))]


def _shapes(spec: TrainingSpec, outputs: Any, targets: Tensor) -> Check:
    """Compare what the network says with what the loss is fed, before torch broadcasts the one."""
    kind, expected = spec.targets, "outputs and labels of one shape"
    said = tuple(outputs.shape) if isinstance(outputs, Tensor) else (type(outputs).__name__,)
    fits = said == tuple(targets.shape)
    if isinstance(kind, Classes):
        # An ordinal head has a threshold between two classes, and a loss of its own.
        known = [kind.outputs]
        known += [] if isinstance(spec.loss, INTEGER_LOSSES) else [kind.outputs - 1]
        expected = f"outputs (b, {' or '.join(map(str, known))}), labels (b,)"
        fits = said in [(len(targets), number) for number in known]
    elif isinstance(kind, Joint):
        expected = f"outputs (b, {kind.outputs}), labels (b, {kind.shape[0]})"
        fits = said == (len(targets), kind.outputs) and targets.shape[1:] == kind.shape
    elif isinstance(kind, Points) and len(said) == 4:
        expected = f"outputs (b, {len(kind.names)} maps or more, h, w)"
        fits = said[0] == len(targets) and said[1] >= len(kind.names)
    found = f"outputs {said}, labels {tuple(targets.shape)}"
    return Check("label shape", fits, expected, found, len(targets))


def _loss(loss: Tensor) -> Check:
    fits = loss.ndim == 0 and bool(torch.isfinite(loss)) and loss.requires_grad
    found = f"{loss.item():.4g}" if loss.ndim == 0 else f"shape {tuple(loss.shape)}"
    if not loss.requires_grad:
        found += ", without a gradient"
    return Check("first loss", fits, "one finite number that has a gradient", found, 1)


def _gradients(learned: Sequence[Overfit], tensors: Tensors) -> Check:
    """Ask of a few steps, not of one: behind a norm that starts at 0 the first step reaches nothing."""
    trained = tensors.early | tensors.late
    reached, broken = _tensors_of(learned)
    missed = sorted((trained - reached) | (trained & broken))
    found = f"{len(trained) - len(missed)} of {len(trained)} tensors reached"
    if broken:
        found += f", {len(broken)} not finite"
    expected = "a finite gradient, somewhere not 0, in every trained tensor"
    return Check("gradients", not missed, expected, found, len(trained), missed)


def _frozen(learned: Sequence[Overfit], tensors: Tensors) -> Check:
    """What is in no part must not get a gradient: it was forgotten, or is paid for in vain."""
    reached = sorted(tensors.never & frozenset().union(*_tensors_of(learned)))
    found = f"{len(reached)} of {len(tensors.never)} tensors reached"
    expected = "no gradient in what is in no part of the plan"
    mend = "name it in a part, or requires_grad_(False)" if reached else ""
    return Check("frozen", not reached, expected, found, len(tensors.never), reached, mend)


def _tensors_of(learned: Sequence[Overfit]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the tensors that got a gradient, and those whose gradient was not finite, in any of them."""
    reached = frozenset[str]().union(*(each.reached for each in learned))
    return reached, frozenset[str]().union(*(each.broken for each in learned))
