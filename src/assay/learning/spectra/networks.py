"""The networks by name: one more is one file and one line here. Each is called with a `Design`."""

from __future__ import annotations

from collections.abc import Mapping

from assay.learning.spectra.later import Later

NETWORKS: Mapping[str, Later] = {
    "cnn_xattn": Later("cnn_xattn", "CnnAttention"),
    "cnn_cell": Later("cnn_cell", "CnnCell"),
    "cnn_gru": Later("cnn_gru", "CnnGru"),
}
