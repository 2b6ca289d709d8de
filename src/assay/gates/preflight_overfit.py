"""Preflight's last question: can the network learn four images by heart? On a copy, which is spent.

The yardstick is the plan's own loss, asked of outputs without a network: the best that one constant says,
and the best that free outputs say (0 for most losses, not for label smoothing). Between them the network
has to come down nine tenths of the way, in its own modes but without dropout, and without augmentation.
The optimiser is Rprop (Riedmiller and Braun, ICNN 1993): signs of the gradients of one whole batch, with
a step of its own for each weight, so that g/dL and pixels need no rates of their own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from assay.contract.checks import Check
from assay.learning.data import BatchDataset
from assay.learning.determinism import reseed

if TYPE_CHECKING:
    from assay.learning.training_spec import TrainData, TrainingSpec

ROWS = 4
STEPS, USUAL = 300, 20  # at most, and as measured where all is well
FEWEST = 3  # steps until gradients have passed norms that start at 0
WARM = 2  # steps until one is timed: the first takes several times as long
LONG = 20.0  # seconds that it may take untold
SETTLED = 120  # steps of outputs without a network; half of them leave less than a tenth to go
SHARE = 0.1  # of the way from the best free outputs to the best constant
FIRST, LARGEST = 1e-3, 0.1  # steps of a weight


@dataclass(frozen=True)
class Overfit:
    """What came of it: losses of the yardstick and of the steps, and which tensors got gradients."""

    constant: float
    free: float
    losses: list[float]
    reached: frozenset[str]
    broken: frozenset[str]

    @property
    def goal(self) -> float:
        """Return the loss that the network has to reach."""
        return self.free + SHARE * (self.constant - self.free)


def overfit(
    spec: TrainingSpec, network: nn.Module, train: TrainData, trained: frozenset[str]
) -> Overfit:
    """Train `network`, a copy, on four rows whose targets are far apart."""
    reseed(spec.config.seed, 0)
    device = next(network.parameters()).device
    rows = BatchDataset(train).__getitems__(_far_apart(train.targets))
    inputs, targets = spec.transform(*(part.to(device) for part in rows), training=False)
    _without_dropout(network)
    with torch.no_grad():
        outputs = network(inputs)
    losses: list[float] = []
    reached, broken = set[str](), set[str]()
    found = Overfit(
        _best(spec, outputs.mean(dim=0, keepdim=True), targets), _best(spec, outputs, targets),
        losses, frozenset(), frozenset(),
    )  # fmt: skip
    learning = [value for name, value in network.named_parameters() if name in trained]
    optimiser = torch.optim.Rprop(learning, lr=FIRST, step_sizes=(1e-7, LARGEST))
    for step in _told(STEPS, spec.config.device):
        network.zero_grad()
        loss = spec.loss(network(inputs), targets)
        losses.append(loss.item())
        if step >= FEWEST and not losses[-1] > found.goal:
            break
        loss.backward()  # type: ignore[no-untyped-call]
        _note(network, reached, broken)
        if broken:
            break
        optimiser.step()
    return Overfit(found.constant, found.free, losses, frozenset(reached), frozenset(broken))


def judge_overfit(learned: Overfit, what: str = "") -> Check:
    """Return the check of `what`; a loss without a lowest value is a fault of its own, and said."""
    last = learned.losses[-1]
    fits = learned.free < learned.constant and last <= learned.goal
    found = (
        f"loss {learned.losses[0]:.3g} → {last:.3g} in {len(learned.losses) - 1} steps;"
        f" the best constant has {learned.constant:.3g}, the goal is {learned.goal:.3g}"
    )
    if math.isnan(learned.goal):
        found = "the loss is no number, or falls without end: nothing is best"
    expected = (
        f"{ROWS} images learned by heart within {STEPS} steps of Rprop: to {learned.goal:.3g}"
    )
    mend = "the network cannot say its labels: its range, its last layer, what it sees"
    return Check(f"over-fit {what}".strip(), fits, expected, found, ROWS, (), "" if fits else mend)


def _far_apart(targets: npt.NDArray[Any]) -> list[int]:
    """Return rows evenly through the order of the first number that any row has: least to most."""
    flat = targets.reshape(len(targets), -1)
    column = flat[:, np.isfinite(flat).any(axis=0).argmax()]
    order = np.argsort(column, kind="stable")[: np.isfinite(column).sum()]
    chosen = np.linspace(0, len(order) - 1, min(ROWS, len(order))).astype(int)
    rows: list[int] = order[chosen].tolist()
    return rows


def _without_dropout(network: nn.Module) -> None:
    """Put dropout of any make to rest; named Drop… in torch (Dropout2d) and timm (DropPath) alike."""
    for module in network.modules():
        if "Drop" in type(module).__name__:
            module.eval()


def _best(spec: TrainingSpec, start: Tensor, targets: Tensor) -> float:
    """Return the lowest loss of outputs without a network, one row for all or a row each.

    It is nan where there is none: the loss is no number, or falls without end.
    """
    outputs = start.detach().float().clone().requires_grad_()
    optimiser = torch.optim.Rprop([outputs], lr=0.1, step_sizes=(1e-9, 100.0))
    losses = []
    for _ in range(SETTLED):
        loss = spec.loss(outputs.expand(len(targets), *outputs.shape[1:]), targets)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    still = abs(losses[-1] - losses[SETTLED // 2]) <= SHARE * abs(losses[-1] - losses[0])
    return losses[-1] if still else float("nan")


def _note(network: nn.Module, reached: set[str], broken: set[str]) -> None:
    """Add the tensors that have a gradient, somewhere not 0, or somewhere not finite."""
    for name, value in network.named_parameters():
        if value.grad is None or name in reached:
            continue
        if not bool(torch.isfinite(value.grad).all()):
            broken.add(name)
        elif bool(value.grad.any()):
            reached.add(name)


def _told(steps: int, device: str) -> Iterable[int]:
    """Count the steps; where one takes so long that all may, say so and show a bar."""
    clock = []
    for step in range(WARM):
        clock.append(time.perf_counter())
        yield step
    each = time.perf_counter() - clock[-1]
    if each * steps < LONG:
        yield from range(WARM, steps)
        return
    from rich.progress import track

    print(
        f"preflight: {ROWS} images learned by heart on {device}: about {each * USUAL:.0f} s,"
        f" at most {each * steps:.0f} s",
        flush=True,
    )
    yield from track(range(WARM, steps), "learning by heart", transient=True)
