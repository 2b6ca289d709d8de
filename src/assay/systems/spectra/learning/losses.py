"""The losses by name: one more is one file, one function and one line here.

Each is made with its weights. Sections of `params.yaml` know the names, and import no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.systems.spectra.learning.loss import Loss


def _mse_pearson(**weights: float) -> Loss:
    from assay.systems.spectra.learning.mse_pearson import MsePearson

    return MsePearson(**weights)


def _weighted_smooth(**weights: float) -> Loss:
    from assay.systems.spectra.learning.weighted_smooth import WeightedSmooth

    return WeightedSmooth(**weights)


LOSSES: Mapping[str, Callable[..., Loss]] = {
    "mse_pearson": _mse_pearson,
    "weighted_smooth": _weighted_smooth,
}
