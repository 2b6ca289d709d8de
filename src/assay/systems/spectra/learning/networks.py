"""The networks by name: one more is one file, one function and one line here.

Sections of `params.yaml` know the names, and import no torch: a network is imported when it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from assay.systems.spectra.learning.design import Design


def _cnn_xattn(design: Design) -> nn.Module:
    from assay.systems.spectra.learning.cnn_xattn import CnnAttention

    return CnnAttention(design)


def _cnn_cell(design: Design) -> nn.Module:
    from assay.systems.spectra.learning.cnn_cell import CnnCell

    return CnnCell(design)


def _cnn_gru(design: Design) -> nn.Module:
    from assay.systems.spectra.learning.cnn_gru import CnnGru

    return CnnGru(design)


NETWORKS: Mapping[str, Callable[[Design], nn.Module]] = {
    "cnn_xattn": _cnn_xattn,
    "cnn_cell": _cnn_cell,
    "cnn_gru": _cnn_gru,
}
