"""What a task hands to the one training loop: network, loss, data preparation, rates, ranking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from assay.learning.schedules import rate

if TYPE_CHECKING:
    from assay.contract.checks import Check
    from assay.learning.schedules import Schedule
    from assay.learning.targets import Target
    from assay.sections.task import Train

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Targets = npt.NDArray[Any]  # (n, …), as the plan's `targets` says
Inputs = Tensor | tuple[Tensor, ...]
Metrics = dict[str, float]
Together = Callable[
    [Tensor, Tensor], tuple[Tensor, Tensor]
]  # uint8 images and targets, moved alike


@dataclass(frozen=True)
class ParamGroup:
    """A part of the network with its own learning rate.

    Attributes:
        name: of the part, for the history's columns.
        parameters: what the rate is for.
        schedule: the rate over the epochs.
        peak: the highest rate.
        module: what stands still, batch norm and all, in the epochs that have no rate; none for a part
            that learns from the first epoch.
    """

    name: str
    parameters: Sequence[nn.Parameter]
    schedule: Schedule
    peak: float
    module: nn.Module | None = None

    def enter(self, epoch: int) -> None:
        """Freeze the module, or thaw it, as the middle of this epoch has a rate or none."""
        if self.module is not None:
            learns = rate(self.schedule, epoch + 0.5) > 0
            self.module.train(learns).requires_grad_(learns)


@dataclass(frozen=True)
class TrainData:
    """Images, what the loss is fed, and what that was made from.

    Attributes:
        images: (n, h, w, channels) uint8, or (n, views, h, w, channels).
        targets: (n, …) of the dtype and shape that the plan's `targets` says.
        labels: (n, …) as the manifest has them, in its units; the preflight asks for them.
        ids: of the rows, for messages.
        decode: targets → labels, where `decode` of the plan's `targets` does not: points in px of the
            original image.
        covariates: float32 (n, k), as the manifest has them; what is fitted on them (mean, deviation) is
            a buffer of the network. None where it sees images alone.
    """

    images: Images
    targets: Targets
    labels: npt.NDArray[Any] | None = None
    ids: npt.NDArray[Any] | None = None
    decode: Callable[[Targets], npt.NDArray[Any]] | None = None
    covariates: Floats | None = None


class Geometry(Protocol):
    """Augmentation that moves images and their points alike; `moves` is what it drew."""

    def draw(self, count: int) -> Any:
        """Draw a move for each of `count` images, with torch's generator."""
        ...

    def images(self, images: Tensor, moves: Any) -> Tensor:
        """Return the moved uint8 images (b, h, w, channels)."""
        ...

    def points(self, points: Tensor, moves: Any) -> Tensor:
        """Return the moved points (b, points, 2), px of the frame."""
        ...

    def back(self, points: Tensor, moves: Any) -> Tensor:
        """Return what `points` moved, where it came from."""
        ...


@dataclass(frozen=True)
class TrainingSpec:
    """One training, whole.

    Attributes:
        network: what `preprocess` returns, and covariates behind it where there are some → (b, outputs).
        loss: (outputs, targets) → scalar; the shapes must agree.
        preprocess: uint8 images (b, h, w, 3) → normalised float (b, 3, h, w); augmented where `True`. Of
            several views (b, views, h, w, 3) → a tensor of these, or one a view.
        metrics: (predictions, targets) of all validation rows, in their order → metrics by name.
        rank: the epoch rule as a sort key; the lowest is the best epoch.
        param_groups: the trained parts with their rates; what is in none is frozen.
        config: the section `train`: epochs, batch, seed, machine and the like.
        targets: what the targets are: one of `learning/targets`, or a class of a system's own.
        geometry: augmentation that moves images, and the points that targets may have.
        together: augmentation that moves images and whole targets, such as masks.
        balanced: whether every class is shown equally often in an epoch; of classes alone.
        drop_last: whether an epoch's last batch is left out where it is smaller than the others.
        decode: the network's outputs → predictions (b, outputs), which alone are kept of a validation;
            none where the outputs are the predictions.
        outputs: numbers of one prediction, where they are others than `targets` says.
        loss_terms: (outputs, targets) → what the validation loss is the sum of, by name; they are
            `valid_<name>` of the history.
        invariants: judges what symmetric copies and augmentation take for granted, in the preflight.
    """

    network: nn.Module
    loss: Callable[[Tensor, Tensor], Tensor]
    preprocess: Callable[[Tensor, bool], Inputs]
    metrics: Callable[[Floats, Targets], Metrics]
    rank: Callable[[Mapping[str, float]], tuple[float, ...]]
    param_groups: Sequence[ParamGroup]
    config: Train
    targets: Target
    geometry: Geometry | None = None
    together: Together | None = None
    balanced: bool = False
    drop_last: bool = False
    decode: Callable[[Tensor], Tensor] | None = None
    outputs: int | None = None
    loss_terms: Callable[[Tensor, Tensor], Mapping[str, Tensor]] | None = None
    invariants: Callable[[], Sequence[Check]] = tuple

    def transform(
        self, images: Tensor, targets: Tensor, *covariates: Tensor, training: bool
    ) -> tuple[Inputs, Tensor]:
        """Return what network and loss are fed; augmented, targets and all, where `training`."""
        kind = self.targets
        if training and self.geometry is not None:
            moves = self.geometry.draw(len(images))
            images = self.geometry.images(images, moves)
            if kind.frame is not None:
                points = self.geometry.points(kind.points_in(targets), moves)
                targets = kind.with_points(targets, points)
        if training and self.together is not None:
            images, targets = self.together(images, targets)
        inputs = self.preprocess(images, training)
        if covariates:
            inputs = (*((inputs,) if isinstance(inputs, Tensor) else inputs), *covariates)
        return inputs, kind.for_loss(targets)


@dataclass(frozen=True)
class PreparedTraining:
    """A training, ready to be judged and run.

    Attributes:
        spec: what is trained, and how.
        train: what the network learns from.
        valid: what the epoch rule is judged on.
        first_weights: digest of what the network starts from, or `none`.
        facts: what `run.json` says beside what it always says.
    """

    spec: TrainingSpec
    train: TrainData
    valid: TrainData
    first_weights: str = "none"
    facts: Mapping[str, Any] = field(default_factory=dict)
