"""Whether spacing and stages are in the units that they claim: mm a pixel, classes 0–5."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from assay.systems.ceph.data.anatomy import (
    FEWEST,
    FEWEST_ROWS,
    MISFIT,
    AnatomyFault,
    found,
    numbers,
)
from assay.systems.ceph.data.landmarks import STAGES
from assay.systems.ceph.data.pose import lay_on_mean

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats

# Size of a head in mm relative to the mean face: phantom 0.80–1.10; the real films state no spacing,
# their sizes in px lie within 0.90–1.15 of the median.
SIZE = (0.65, 1.50)
# A machine's median size against that of the others: phantom within 2 %. Neighbours in Aariz' table
# (0.089 and 0.1, 0.135 and 0.139) are closer than this tells apart; 0.1 and 0.139 are not.
MACHINE_SIZE = 0.15
SAME = 0.01  # two spacings of one machine, relative
# In equal shares, 60 films lack CS1 once in 56,000 sets; where it has a share of 5 %, once in 22.
MANY = 60


def odd_spacing(machine: Iterable[str | None], spacing: Floats) -> list[AnatomyFault]:
    """Find films whose pixel size is not their machine's usual one."""
    names = np.array([name or "" for name in machine])
    findings = []
    for name in sorted(set(names) - {""}):
        mine = (names == name) & np.isfinite(spacing)
        if not mine.any():
            continue
        values, counts = np.unique(spacing[mine], return_counts=True)
        usual = float(values[np.argmax(counts)])
        odd = mine & (np.abs(spacing / usual - 1) > SAME)
        findings += found([(odd, f"{name} has {usual:g} mm a pixel elsewhere")])
    return findings


def wrong_size(
    points: Floats, machine: Iterable[str | None], spacing: Floats
) -> list[AnatomyFault]:
    """Find heads of impossible size in mm, and machines whose heads differ from all others'."""
    fit = lay_on_mean(points)
    sound = (fit.count >= FEWEST) & (fit.misfit <= MISFIT)
    size = np.where(sound, fit.scale * spacing, np.nan)
    with np.errstate(invalid="ignore"):
        odd = (size < SIZE[0]) | (size > SIZE[1])
    findings = found([(odd, f"the head is not {SIZE[0]:g}–{SIZE[1]:g} of an adult's size in mm")])
    names = np.array([name or "" for name in machine])
    medians = {
        str(name): float(np.nanmedian(size[names == name]))
        for name in np.unique(names)
        if np.isfinite(size[names == name]).sum() >= FEWEST_ROWS
    }
    for name, own in medians.items():
        others = [value for other, value in medians.items() if other != name]
        if others and abs(own / float(np.median(others)) - 1) > MACHINE_SIZE:
            reason = f"{name}: heads are {own / float(np.median(others)):.2f} × those of the others"
            findings.append(AnatomyFault(numbers(names == name), reason))
    return findings


def shifted_stage(stage: Floats) -> list[AnatomyFault]:
    """Find a set whose CVM classes start at 1: CS1 absent among many, or a class 6."""
    known = stage[np.isfinite(stage)]
    beyond = np.isfinite(stage) & ((stage < 0) | (stage >= STAGES))
    if beyond.any():
        return [AnatomyFault(numbers(beyond), "a CVM class outside 0–5; published stages are 1–6")]
    if len(known) >= MANY and known.min() >= 1:
        return [AnatomyFault((), f"no film of class 0 (CS1) among {len(known)}: numbered from 1?")]
    return []
