"""The network of the toy's tasks: one convolution, and what its means say."""

from __future__ import annotations

from typing import Any

from torch import nn

from assay.sections.task import NONE
from assay.tasks.class_learner import ClassLearner
from assay.tasks.value_learner import ValueLearner


def layers(channels: int, outputs: int) -> nn.Sequential:
    """Return the untrained network: normalised images (b, 3, h, w) → (b, outputs)."""
    seen = nn.Conv2d(3, channels, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*seen, nn.Linear(channels, outputs))


class LevelLearner(ValueLearner[Any]):
    """One number an image."""

    def make(self, weights: str) -> tuple[nn.Module, str]:
        """Return the network."""
        return layers(self.params.model.channels, 1), NONE


class ShadeLearner(ClassLearner[Any]):
    """A logit of each class."""

    def make(self, weights: str) -> tuple[nn.Module, str]:
        """Return the network."""
        return layers(self.params.model.channels, len(self.task.classes)), NONE
