"""The cells of the sensor in the order in which a prediction has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

CELLS = ("R", "G1", "G2", "B")
COLOURS = ("tab:red", "tab:green", "limegreen", "tab:blue")


def as_cells(spectra: Floats) -> Floats:
    """Return spectra (n, 4 · bins) as cells (n, 2, 2, bins), [[R, G1], [G2, B]]."""
    return spectra.reshape(len(spectra), 2, 2, -1)
