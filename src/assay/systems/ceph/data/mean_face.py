"""The mean adult face, in millimetres: the norm that phantoms vary about and real points are held to.

Frame: sella at the origin, x forwards (to the right, as the film is read), y downwards. Its angles and
lengths (SN 72 mm, SNA 81°, SNB 80°, mandibular plane 35° to SN, nasion to menton 120 mm) are near the
usual norms of adults (Steiner 1953; Riolo et al. 1974); no single person was measured. The mean of 60
real films lies within 4 mm of it at each of 19 landmarks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from assay.systems.ceph.data.landmarks import SYMBOLS

Floats = npt.NDArray[np.float64]

MEAN = {
    "A": (69.0, 48.5), "ANS": (74.5, 43.5), "B": (64.5, 91.5), "Me": (55.5, 111.0),
    "N": (71.5, -8.0), "Or": (58.0, 18.5), "Pog": (65.5, 103.5), "PNS": (24.0, 43.0),
    "Pn": (100.5, 36.0), "R": (-10.0, 56.0), "S": (0.0, 0.0), "Ar": (-14.5, 35.0),
    "Co": (-10.5, 25.0), "Gn": (62.0, 109.0), "Go": (-7.0, 77.0), "Po": (-22.0, 24.0),
    "LPM": (53.0, 71.0), "LIT": (71.0, 72.5), "LMT": (46.0, 70.5), "UPM": (51.0, 72.0),
    "UIA": (61.0, 51.5), "UIT": (74.0, 75.0), "UMT": (44.0, 71.5), "LIA": (57.5, 92.0),
    "Li": (87.5, 84.0), "Ls": (90.0, 66.0), "N`": (78.0, -5.5), "Pog`": (78.5, 103.5),
    "Sn": (86.5, 49.5),
}  # fmt: skip


def mean_face() -> Floats:
    """Return the mean adult landmarks (29, 2) in mm."""
    return np.array([MEAN[symbol] for symbol in SYMBOLS])
