"""How large a network is, and how it stands between the founding form and the mended one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Memory = Literal["pooled", "tokens"]
Position = Literal["none", "quadrant"]
Padding = Literal["circular", "zeros"]


@dataclass(frozen=True)
class Design:
    """The defaults are the founding form.

    Attributes:
        stem: channels behind the first convolution, 5×5 of stride 2.
        stages: channels of the stages, each of stride 2.
        blocks: residual blocks a stage.
        padding: of every convolution; a structure is periodic.
        memory: what the decoder sees: the last map's mean, or its cells.
        position: whether the network is told in which quadrant a pixel lies. Circular padding and `none`
            cannot tell a structure from the same rolled by half a period, while the label differs.
        width: of the decoder and its queries.
        heads, layers: of the decoder; a GRU has two layers and no heads.
        dropout_cnn, dropout_decoder, dropout_head: shares.
        bins: of a spectrum.
    """

    stem: int = 64
    stages: Sequence[int] = (96, 128, 192, 256)
    blocks: int = 2
    padding: Padding = "circular"
    memory: Memory = "pooled"
    position: Position = "none"
    width: int = 256
    heads: int = 8
    layers: int = 4
    dropout_cnn: float = 0.05
    dropout_decoder: float = 0.1
    dropout_head: float = 0.2
    bins: int = 30


SMALL = Design(
    stem=16, stages=(24, 32, 48, 64), blocks=1, memory="tokens", position="quadrant", width=64,
    heads=4, layers=2, dropout_cnn=0.0, dropout_decoder=0.0, dropout_head=0.0,
)  # fmt: skip
