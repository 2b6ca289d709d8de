"""The losses by name: one more is one file and one line here. Each is called with its weights."""

from __future__ import annotations

from collections.abc import Mapping

from assay.learning.spectra.later import Later

LOSSES: Mapping[str, Later] = {
    "mse_pearson": Later("mse_pearson", "MsePearson"),
    "weighted_smooth": Later("weighted_smooth", "WeightedSmooth"),
}
