"""The phantom skull: what is drawn for a face, every landmark on the structure that it is defined by.

All in millimetres in the frame of `phantom_face`. Shapes lie over each other; their attenuations add.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.systems.ceph.data.phantom_curve import Shape, at, closed, ellipse, moved, opened
from assay.systems.ceph.data.phantom_jaws import airway, mandible, maxilla

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats

TOP, BACK, BOTTOM = -140.0, -110.0, 190.0  # beyond every film's edge


def draw_skull(face: Floats, random: np.random.Generator) -> list[Shape]:
    """Return the head without teeth and spine, for landmarks (29, 2) in mm."""
    return [
        *_soft_parts(face), *_vault(face), *_base(face, random), *_orbit(face), *_nose(face),
        *maxilla(face), *mandible(face), *airway(face),
    ]  # fmt: skip


def skin_profile(face: Floats) -> Floats:
    """Return the skin from the forehead to the throat; it passes through the soft landmarks."""
    nasion, tip, sub = at(face, "N`"), at(face, "Pn"), at(face, "Sn")
    upper, lower, chin = at(face, "Ls"), at(face, "Li"), at(face, "Pog`")
    stomion = (upper + lower) / 2 - [5.0, 0.0]
    fold = (lower * 0.45 + chin * 0.55) - [2.5 + 0.15 * abs(lower[0] - chin[0]), 0.0]
    return opened([
        (40.0, -105.0), at(face, "N", 2, -72), at(face, "N", 10.5, -42),
        at(face, "N`", 5.5, -18), at(face, "N`", 2.0, -8), nasion,
        nasion * 0.62 + tip * 0.38 + [-1.0, -0.5], moved(tip, -2.6, -5.0), tip, moved(tip, -1.8, 3.4),
        moved(sub, 5.5, -1.0), sub, sub * 0.5 + upper * 0.5 - [0.8, 0], upper, moved(upper, -1.5, 4.0),
        stomion, moved(lower, -1.6, -4.5), lower, moved(lower, -2.5, 5.0),
        fold, chin, at(face, "Gn", 11, 6),
        at(face, "Me", 3.0, 9.0), at(face, "Me", -16, 9.5), at(face, "Me", -33, 12),
        at(face, "Go", 17, 38), at(face, "Go", 11, 62), at(face, "Go", 10, 110),
    ])  # fmt: skip


def _soft_parts(face: Floats) -> list[Shape]:
    skin = skin_profile(face)
    head = np.vstack([skin, [(BACK, BOTTOM), (BACK, TOP)]])
    inside = head - [7.0, 0.0]
    tongue = closed([
        at(face, "PNS", 4, 14), at(face, "UPM", 0, -14), at(face, "LIT", -9, 0),
        at(face, "B", -10, 2), at(face, "Me", -14, -8), at(face, "Go", 22, 14),
        at(face, "Go", 10, -4),
    ])  # fmt: skip
    palate = opened([at(face, "PNS"), at(face, "PNS", -9, 7), at(face, "PNS", -15, 20)])
    lips = [ellipse(at(face, symbol, -4.5, y), 4.5, 6.5) for symbol, y in (("Ls", 0), ("Li", 1))]
    return [
        Shape(head, 0.13), Shape(inside, 0.15, soft=True), Shape(tongue, 0.16, soft=True),
        Shape(palate, 0.20, 7.0, soft=True), *(Shape(lip, 0.05, soft=True) for lip in lips),
        Shape(ellipse(at(face, "Pn", -7, -1), 6.5, 5.0), 0.06, soft=True),
    ]  # fmt: skip


def _vault(face: Floats) -> list[Shape]:
    """Return the frontal bone: outer and inner table, the frontal sinus between them."""
    glabella = at(face, "N", 1.5, -10)
    outer = opened([
        at(face, "N"), glabella, at(face, "N", 3.5, -24), at(face, "N", 1.5, -46),
        at(face, "N", -9, -72), at(face, "N", -32, -96), (0.0, -118.0),
    ])  # fmt: skip
    inner = opened([
        at(face, "N", -9, -2), at(face, "N", -10, -14), at(face, "N", -4.5, -27),
        at(face, "N", -6, -47), at(face, "N", -16, -70), at(face, "N", -38, -91),
        (-6.0, -112.0),
    ])  # fmt: skip
    bone = np.vstack([outer, inner[::-1]])
    brain = np.vstack([inner, [(BACK, -112.0), (BACK, 5.0), (-22.0, 6.0), (-8.0, -3.0)]])
    sinus = closed([
        at(face, "N", -3.0, -4), at(face, "N", -0.5, -12), at(face, "N", -0.5, -22),
        at(face, "N", -6, -17), at(face, "N", -9, -8),
    ])  # fmt: skip
    return [
        Shape(bone, 0.50), Shape(outer, 0.45, 1.3), Shape(inner, 0.55, 1.6), Shape(brain, 0.34),
        Shape(brain, 0.10, soft=True), Shape(sinus, -0.45), Shape(sinus, 0.20, 0.8),
    ]  # fmt: skip


def _base(face: Floats, random: np.random.Generator) -> list[Shape]:
    """Return the cranial base: orbital roof, sella, clivus, the petrous bone with the ear canal."""
    bend = random.normal(0, 0.6, 4)
    roof = opened([
        at(face, "N", -8, -8), at(face, "N", -24, -12 + bend[0]), (34.0, -14.0 + bend[1]),
        (18.0, -8.0), (9.0, -6.5),
    ])  # fmt: skip
    plane = opened([
        at(face, "N", -7, -3), at(face, "N", -26, -1 + bend[2]), (30.0, -5.0), (14.0, -6.5),
        (9.0, -6.5),
    ])  # fmt: skip
    radius = 5.4 + 0.3 * bend[3]
    fossa = opened([
        (8.5, -6.5), (6.8, -4.2), (0.93 * radius, 1.0), (0.6 * radius, 0.8 * radius),
        (0.0, radius), (-0.7 * radius, 0.72 * radius), (-radius, 0.0), (-5.6, -4.4), (-7.6, -5.2),
    ])  # fmt: skip
    clivus = opened([(-7.6, -5.2), (-9.0, 2.0), (-14.0, 18.0), (-21.0, 36.0)])
    sphenoid = closed(
        [(7.5, 0.5), (3.0, 8.5), (-4.0, 10.0), (-6.0, 16.0), (4.0, 17.0), (17.0, 11.0), (17.0, 0.0)]
    )
    body = closed(
        [(9.0, -5.0), (-9.0, 4.0), (-15.0, 22.0), (2.0, 20.0), (20.0, 12.0), (19.0, -4.0)]
    )
    porion, back = at(face, "Po"), BACK
    petrous = closed([
        (-9.0, 6.0), moved(porion, 13.0, -2.0), moved(porion, 9.0, 9.0), moved(porion, -2.0, 13.0),
        moved(porion, -16.0, 14.0), moved(porion, -34.0, 11.0), (back, 48.0), (back, 4.0),
        moved(porion, -26.0, -20.0), moved(porion, -8.0, -22.0),
    ])  # fmt: skip
    dense = closed([
        (-10.0, 8.0), moved(porion, 7.0, -5.0), moved(porion, 3.0, 7.0), moved(porion, -9.0, 6.0),
        moved(porion, -12.0, -9.0), moved(porion, -2.0, -17.0),
    ])  # fmt: skip
    mastoid = closed([
        moved(porion, -7.0, 5.0), moved(porion, -3.0, 16.0), moved(porion, -9.0, 24.0),
        moved(porion, -20.0, 18.0),
        moved(porion, -26.0, 6.0),
    ])  # fmt: skip
    # Porion is the top of the ear canal.
    canal = ellipse(moved(porion, 0.0, 3.6), 3.3, 3.6)
    eminence = opened([
        moved(porion, 3.5, 1.0), at(face, "Co", -2.5, -3.5), at(face, "Co", 4, -4.5),
        at(face, "Co", 12, -1.5), at(face, "Co", 24, -3.5), (44.0, 17.0),
    ])  # fmt: skip
    # Articulare: where the hind border of the ramus crosses the base.
    basal = opened([moved(porion, -3.0, 14.0), at(face, "Ar"), at(face, "Ar", 9, -11), (4.0, 19.0)])
    cells = [
        ellipse(moved(porion, -10.0 + x, 9.0 + y), 2.2, 1.7)
        for x, y in random.normal(0, 4.5, (5, 2))
    ]  # fmt: skip
    return [
        Shape(petrous, 0.60, soft=True), Shape(petrous, 0.10), Shape(dense, 0.70, soft=True),
        Shape(mastoid, 0.45, soft=True), Shape(body, 0.40, soft=True),
        *(Shape(cell, -0.45, soft=True) for cell in cells),
        Shape(sphenoid, -0.34), Shape(sphenoid, 0.18, 0.7),
        Shape(roof, 0.45, 1.4), Shape(plane, 0.45, 1.3), Shape(fossa, 0.70, 1.2),
        Shape(clivus, 0.50, 1.7), Shape(eminence, 0.45, 1.7), Shape(basal, 0.40, 1.5),
        Shape(canal, -0.80), Shape(canal, 0.40, 0.8),
    ]  # fmt: skip


def _orbit(face: Floats) -> list[Shape]:
    """Return the orbit; Orbitale is the lowest point of its rim."""
    low = at(face, "Or")
    rim = opened([
        at(face, "N", -13, -3), at(face, "N", -16, 6), moved(low, -12.0, -9.0), moved(low, -7.0, -3.2),
        low, moved(low, 5.0, -2.2), moved(low, 8.0, -7.0), moved(low, 7.5, -12.0),
    ])  # fmt: skip
    lateral = opened([
        at(face, "N", -14, -4), at(face, "N", -19, 8), moved(low, -11.0, -2.0), moved(low, -13.0, 8.0),
        moved(low, -15.0, 20.0),
    ])  # fmt: skip
    hollow = closed([
        at(face, "N", -8, 0), at(face, "N", -28, 0), (28.0, 4.0), (30.0, 14.0),
        moved(low, -8.0, -4.0), moved(low, 4.0, -3.0), moved(low, 9.0, -12.0),
    ])  # fmt: skip
    return [
        Shape(hollow, 0.14, soft=True), Shape(rim, 0.50, 1.4), Shape(lateral, 0.30, 1.8),
        Shape(opened([low, moved(low, 1.0, 6.0), moved(low, -1.0, 13.0), moved(low, -5.0, 19.0)]),
            0.22, 1.6),
    ]  # fmt: skip


def _nose(face: Floats) -> list[Shape]:
    """Return the nasal bone, which meets the frontal bone at nasion, and what is hollow behind."""
    nasion = at(face, "N")
    bone = closed([
        nasion, moved(nasion, 3.5, 6.0), moved(nasion, 8.5, 15.5), moved(nasion, 10.5, 21.0),
        moved(nasion, 6.5, 15.5), moved(nasion, 0.0, 7.0), moved(nasion, -4.0, 1.0),
    ])  # fmt: skip
    cavity = closed([
        moved(nasion, -3.0, 9.0), moved(nasion, 5.0, 21.0), at(face, "A", 4.0, -9),
        at(face, "ANS", -5, -3),
        at(face, "PNS", 4, -4), (22.0, 22.0), (40.0, 6.0),
    ])  # fmt: skip
    conch = closed([(30.0, 33.0), (44.0, 30.0), (58.0, 33.0), (56.0, 38.0), (34.0, 38.0)])
    return [
        Shape(bone, 0.34), Shape(cavity, 0.12, soft=True), Shape(conch, 0.05, soft=True),
        Shape(opened([moved(nasion, -7.0, 6.0), moved(nasion, -12.0, 18.0),
            at(face, "A", -8, -8)]), 0.14, 1.6),
    ]  # fmt: skip
