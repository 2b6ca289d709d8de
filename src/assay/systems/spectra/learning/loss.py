"""What a loss of spectra is: terms with names, and their sum."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class Loss(ABC):
    """Called, it is the sum of its terms: outputs, targets (b, 2, 2, bins) → scalar."""

    @abstractmethod
    def terms(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return each term by name, its weight included, so that they add up to the loss."""

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss."""
        return torch.stack(list(self.terms(outputs, targets).values())).sum()
