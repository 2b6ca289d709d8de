"""Preflight of the network: modes, shapes, the first loss, gradients, frozen parts, over-fitting."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torch import nn

from assay.contract.checks import Check
from assay.gates.preflight_batches import judge_train_batch, try_valid_batch
from assay.gates.preflight_calls import calling
from assay.gates.preflight_overfit import judge_overfit, overfit
from assay.learning.inference import device_at_hand
from assay.learning.schedules import rate

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


def judge_network(spec: TrainingSpec, train: TrainData, valid: TrainData) -> Iterator[Check]:
    """Send a batch of either set through a copy, and let the copy learn four images by heart.

    In 32 bits, on the plan's device. Rows of a verdict are names of tensors and modules.
    """
    tensors = _tensors(spec)
    yield _modes(spec.network, tensors)
    if tensors.late or tensors.never:
        yield _still(spec.network, tensors)
    network = copy.deepcopy(spec.network).to(device_at_hand(spec.config))
    for name, value in network.named_parameters():
        # A part that is thawed later must be reached then: on the copy that is now.
        value.requires_grad_(value.requires_grad or name in tensors.late)
    first = list(judge_train_batch(spec, network, train))
    yield from first
    if not all(check.passed for check in first):
        return
    try_valid_batch(spec, copy.deepcopy(network), valid)
    trained = tensors.early | tensors.late
    with calling("over-fit", "TrainingSpec.network or loss", "four images learned by heart"):
        learned = {
            what: overfit(spec, copy.deepcopy(network), replace(train, targets=targets), trained)
            for what, targets in spec.targets.apart(train.targets).items()
        }
    yield _gradients(list(learned.values()), tensors)
    if tensors.never:
        yield _frozen(list(learned.values()), tensors)
    for what, found in learned.items():
        yield judge_overfit(found, what)


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
