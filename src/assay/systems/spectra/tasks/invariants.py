"""What twins take for granted, judged before one is learned from: by physics, and on all rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.contract.checks import Check
from assay.systems.spectra.learning.laws import EXACT, GREEN, law_faults, premise_faults
from assay.systems.spectra.learning.symmetric_copies import BLOCK
from assay.systems.spectra.optics.symmetry import SYMMETRIES

if TYPE_CHECKING:
    import numpy.typing as npt

    from assay.learning.training_spec import Floats
    from assay.systems.spectra.learning.symmetric_copies import Images
    from assay.systems.spectra.optics.symmetry import Name

FEW = 4  # structures of the set that each map is tried on; one refutes a wrong map


def judge_invariants(
    symmetry: Name, images: Images, spectra: Floats, ids: npt.NDArray[np.generic]
) -> list[Check]:
    """Return what physics says of the maps, and the data of their premises.

    Args:
        symmetry: the set of maps.
        images: training structures (n, h, w, 1) of 0 and 1.
        spectra: of them, (n, 2, 2, bins).
        ids: of them.
    """
    return [_maps(symmetry, images), _premises(symmetry, images, spectra, ids)]


def _maps(symmetry: Name, images: Images) -> Check:
    maps = SYMMETRIES[symmetry]
    rows = np.unique(np.linspace(0, len(images) - 1, FEW).astype(int))
    faults = law_faults(maps, images[rows][..., 0])
    found = f"{len(maps)} maps ({symmetry}) hold on {len(rows)} structures and {len(rows)} cut ones"
    return Check(
        "symmetry laws", not faults, f"S(g x) = g S(x) to {EXACT:g} for each map g",
        _told(faults) or found, len(maps), [fault.name for fault in faults],
    )  # fmt: skip


def _premises(
    symmetry: Name, images: Images, spectra: Floats, ids: npt.NDArray[np.generic]
) -> Check:
    """Judge block by block; the first block that breaks a premise says how, all give their rows."""
    faults: dict[str, Check] = {}
    broken: dict[str, set[int]] = {}
    for start in range(0, len(images), BLOCK):
        block = slice(start, start + BLOCK)
        for fault in premise_faults(symmetry, images[block][..., 0], spectra[block]):
            faults.setdefault(fault.name, fault)
            broken.setdefault(fault.name, set()).update(start + row for row in fault.rows)
    told = "; ".join(f"{name}: {len(rows)} of {len(images)} rows break it"
                     for name, rows in broken.items())  # fmt: skip
    expected = "; ".join(fault.expected for fault in faults.values())
    return Check(
        "premises", not faults, expected or "power from 0 to 1, and what the maps need of structures",
        told or f"{len(images)} rows keep them, to {GREEN:g}", len(images),
        ids[sorted(set().union(*broken.values()))].tolist(),
    )  # fmt: skip


def _told(faults: Sequence[Check]) -> str:
    return "; ".join(f"{fault.name}: {fault.found}, right: {fault.expected}" for fault in faults)
