"""What is made of a block of spectra: why rows are not used, targets, and what the label gate judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from assay.systems.spectra.data.thinning import bayer, thinned

if TYPE_CHECKING:
    from assay.systems.spectra.data.thinning import Floats

COMPUTED, STRANGE = 1, 3  # the code of a row that can be used; from 3 on a code means nothing
REASONS = (
    "",
    "not computed (valid 0)",
    "failed (valid 2)",
    "not computed (all zeros)",
    "spectrum: valid is neither 0, 1 nor 2",
    "spectrum: a value that is no finite number",
    "spectrum: valid 1, but all zeros",
)
WHY_CODE = np.array([1, 0, 2])
WHY_ZERO, WHY_STRANGE, WHY_NAN, WHY_EMPTY = 3, 4, 5, 6
DAMAGED = 4  # from here on a reason means a broken row, and not merely one that is not used


def reasons_of(
    spectra: Floats, codes: npt.NDArray[np.int64], *, has_codes: bool
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """Return why each row is not used, as a place in REASONS, and which rows are."""
    flat = spectra.reshape(len(spectra), -1)
    sound = np.asarray(np.isfinite(flat).all(axis=1))
    some = np.asarray((flat != 0).any(axis=1))
    known = (codes >= 0) & (codes < STRANGE)
    reasons = np.where(known, WHY_CODE[np.where(known, codes, 0)], WHY_STRANGE)
    computed = codes == COMPUTED
    reasons[computed & ~some] = WHY_EMPTY if has_codes else WHY_ZERO
    reasons[computed & ~sound] = WHY_NAN
    return reasons.astype(np.uint16), computed & sound & some


def preprocessed(spectra: Floats, thin: str, bins: int, sign: int) -> Floats:
    """Return stored spectra (n, 3, 301) as targets (n, 2, 2, bins), positive."""
    cells = bayer(thinned(spectra, thin, bins))
    if sign < 0:
        np.subtract(np.float32(0), cells, out=cells)  # 0 − 0 has no sign, −1 · 0 has
    return cells


def measured(spectra: Floats, cells: Floats, sign: int) -> dict[str, npt.NDArray[np.generic]]:
    """Return what the label gate judges of each row; over all 301 bins, but for `green_gap` and `mean`.

    `lowest` and `highest` of the values, `cell_sum` the largest sum over the four cells of any bin,
    `green_gap` the largest difference of the two green cells, `mean` of the targets, `green` their green
    cells along a fixed direction over the bins, `sign` as stored.
    """
    flat = spectra.reshape(len(spectra), -1)
    low, high = flat.min(axis=1), flat.max(axis=1)
    low, high = (low, high) if sign >= 0 else (0 - high, 0 - low)
    total = spectra[:, 0] + spectra[:, 2]
    total += 2 * spectra[:, 1]
    largest = total.max(axis=1) if sign >= 0 else 0 - total.min(axis=1)
    gap = np.abs(cells[:, 0, 1] - cells[:, 1, 0]).max(axis=1, initial=0)
    return {
        "mean": cells.mean(axis=(1, 2, 3), dtype=np.float64),
        "green": cells[:, [0, 1], [1, 0]].mean(axis=1, dtype=np.float64) @ _direction(cells.shape[-1]),
        "lowest": low, "highest": high, "cell_sum": largest, "green_gap": gap,
        "sign": np.full(len(spectra), sign),
    }  # fmt: skip


def _direction(bins: int) -> npt.NDArray[np.float64]:
    """Return a direction of length 1: two unlike spectra differ along it as much as in a bin."""
    drawn = np.random.default_rng(0).normal(size=bins)
    return drawn / np.linalg.norm(drawn)
