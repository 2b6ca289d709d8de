"""What a task hands to the one training loop: network, loss, data preparation, rates, ranking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from assay.learning.schedules import Schedule

Images = npt.NDArray[np.uint8]
Targets = npt.NDArray[np.float32]
Metrics = dict[str, float]


@dataclass(frozen=True)
class Part:
    """A part of the network with its own learning rate."""

    name: str
    parameters: Sequence[nn.Parameter]
    schedule: Schedule
    peak: float


@dataclass(frozen=True)
class Set:
    """Images (n, h, w, 3) uint8 and what the loss is fed, (n, outputs) float32."""

    images: Images
    targets: Targets


class Loop(Protocol):
    """How long, in which portions, and under which conditions; the section `<task>.train` has these.

    `threads`, `device` and `precision` are part of the result: declared, never adapted.
    """

    @property
    def epochs(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def seed(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def workers(self) -> int: ...
    @property
    def device(self) -> Literal["cpu", "cuda"]: ...
    @property
    def precision(self) -> Literal["32-true", "bf16-mixed", "16-mixed"]: ...
    @property
    def resume_every(self) -> int: ...


@dataclass(frozen=True)
class Plan:
    """One training, whole.

    Attributes:
        network: float images (b, 3, h, w) → (b, outputs).
        loss: (outputs, targets) → scalar; the shapes must agree.
        prepare: uint8 images (b, h, w, 3) → normalised float (b, 3, h, w); augmented where `True`.
        metrics: (predictions, labels) in label units → metrics by name.
        rank: the epoch rule as a sort key; the lowest is the best epoch.
        parts: the trained parts with their rates.
        loop: epochs, batch, seed and the like.
    """

    network: nn.Module
    loss: Callable[[Tensor, Tensor], Tensor]
    prepare: Callable[[Tensor, bool], Tensor]
    metrics: Callable[[Targets, Targets], Metrics]
    rank: Callable[[Mapping[str, float]], tuple[float, ...]]
    parts: Sequence[Part]
    loop: Loop
