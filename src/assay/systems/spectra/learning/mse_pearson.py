"""Squared error, and what a spectrum's shape lacks of correlation with the true one."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from assay.systems.spectra.learning.loss import Loss

FLAT = 1e-4  # norm of a centred spectrum (root of the sum over bins); real ones have 0.1 and more


@dataclass(frozen=True)
class MsePearson(Loss):
    """`mse` + `corr`: w_mse · MSE + w_corr · (1 − Pearson of each spectrum).

    Attributes:
        w_mse, w_corr: the weights.
    """

    w_mse: float = 1.0
    w_corr: float = 0.2

    def terms(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return both terms; targets without shape (flat ones) take no part in the correlation."""
        found, true = outputs.float(), targets.float()
        shaped = (true - true.mean(dim=-1, keepdim=True)).norm(dim=-1) > FLAT
        lacking = ((1 - correlation(found, true)) * shaped).sum() / shaped.sum().clamp(min=1)
        return {"mse": self.w_mse * (found - true).square().mean(), "corr": self.w_corr * lacking}


def correlation(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return Pearson's correlation (…) along the last axis; 0, the gradient finite, where one is flat."""
    found = outputs - outputs.mean(dim=-1, keepdim=True)
    true = targets - targets.mean(dim=-1, keepdim=True)
    # Added below the root: the gradient of a norm is nan at 0.
    lengths = (found.square().sum(dim=-1) + FLAT**2) * (true.square().sum(dim=-1) + FLAT**2)
    return (found * true).sum(dim=-1) / lengths.sqrt()
