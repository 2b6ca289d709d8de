"""Squared error, and the roughness of the predicted spectrum."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from assay.systems.spectra.learning.loss import Loss


@dataclass(frozen=True)
class WeightedSmooth(Loss):
    """`mse` + `smooth`: w_mse · MSE + w_smooth · mean squared difference of neighbouring bins.

    Attributes:
        w_mse, w_smooth: the weights.
    """

    w_mse: float = 1.0
    w_smooth: float = 0.1

    def terms(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return both terms."""
        found = outputs.float()
        return {
            "mse": self.w_mse * (found - targets.float()).square().mean(),
            "smooth": self.w_smooth * found.diff(dim=-1).square().mean(),
        }
