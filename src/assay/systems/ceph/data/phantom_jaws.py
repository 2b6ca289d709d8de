"""The phantom's jaws and throat; every landmark lies on the structure that it is defined by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.systems.ceph.data.phantom_curve import Shape, at, closed, ellipse, moved, opened

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats


def maxilla(face: Floats) -> list[Shape]:
    """Return the upper jaw: ANS and PNS end the palate, A is the deepest point of its front."""
    ans, pns, a = at(face, "ANS"), at(face, "PNS"), at(face, "A")
    crest = at(face, "UIT", -1.0, -11.0)
    front = opened([ans, moved(ans, -3.6, 1.6), a, crest * 0.4 + a * 0.6 + [0.6, 0], crest])
    alveolar = np.vstack([
        front, [at(face, "UPM", 0, -8), at(face, "UMT", -8, -7), at(face, "UMT", -20, -9)],
        [moved(pns, 2.0, 5.0), pns],
    ])  # fmt: skip
    floor = opened(
        [pns, moved(pns, 14.0, 0.6), (pns + ans) / 2 + [4.0, 1.6], moved(ans, -8.0, 0.2), ans]
    )
    vault = opened(
        [
            moved(pns, 0.5, 0.6),
            moved(pns, 16, 3.6),
            (pns + ans) / 2 + [8, 5.0],
            moved(ans, -11, 6.5),
        ]
    )
    sinus = closed([
        moved(pns, 3.0, -20.0), moved(pns, 18.0, -24.0), at(face, "Or", -9, 4), at(face, "Or", 0, 11),
        moved(ans, -17.0, 1.5), moved(pns, 22.0, 5.0), moved(pns, 7.0, 1.5),
    ])  # fmt: skip
    fissure = closed(
        [
            moved(pns, -0.5, -2.0),
            moved(pns, -4.0, -15.0),
            moved(pns, 0, -25.0),
            moved(pns, 4.0, -15.0),
        ]
    )
    zygoma = closed([
        at(face, "Or", -17, 0), at(face, "Or", -7, 3), at(face, "Or", -11, 16),
        at(face, "UMT", 4, -25), at(face, "Or", -21, 12),
    ])  # fmt: skip
    return [
        Shape(alveolar, 0.26), Shape(alveolar, 0.20, soft=True), Shape(front, 0.30, 0.9),
        Shape(floor, 0.55, 1.3), Shape(vault, 0.30, 1.1),
        Shape(sinus, -0.22), Shape(sinus, -0.10, soft=True), Shape(sinus, 0.24, 0.9),
        Shape(zygoma, 0.22, soft=True), Shape(zygoma, 0.20, 1.0),
        Shape(fissure, -0.14), Shape(fissure, 0.22, 0.8),
    ]  # fmt: skip


def mandible(face: Floats) -> list[Shape]:
    """Return the lower jaw, from the condyle's top around chin and angle and back."""
    co, go, me, pog = (at(face, symbol) for symbol in ("Co", "Go", "Me", "Pog"))
    ridge = at(face, "LIT", -4.0, 10.0)
    b = at(face, "B")
    chin = opened([
        ridge, ridge * 0.35 + b * 0.65 - [0.3, 0], b, b * 0.5 + pog * 0.5 + [0.2, 0], pog,
        at(face, "Gn"), me, moved(me, -5.0, -0.6), moved(me, -12.0, -2.6),
    ])  # fmt: skip
    lower = opened([
        moved(me, -12.0, -2.6), me * 0.6 + go * 0.4 + [0.0, 1.0], me * 0.28 + go * 0.72 + [2.0, 1.4],
        moved(go, 6.0, 5.6), go, at(face, "Go", -1.6, -7), at(face, "R"), at(face, "Ar"),
        moved(co, -4.4, 4.0), moved(co, -3.4, 1.2), co,
    ])  # fmt: skip
    ramus = opened([
        co, moved(co, 4.0, 1.4), moved(co, 4.6, 5.0), moved(co, 5.0, 12.0), moved(co, 13.0, 17.0),
        moved(co, 21.0, 10.0), moved(co, 25.0, 8.0), moved(co, 27.0, 15.0), at(face, "LMT", -24, -6),
        at(face, "LMT", -20, 7),
    ])  # fmt: skip
    crest = np.array([at(face, "LMT", -4, 9.5), at(face, "LPM", 0, 10)])
    outline = np.vstack([chin, lower, ramus, crest])
    canal = opened([
        moved(co, 11.0, 30.0), moved(go, 17.0, -10.0), go * 0.5 + me * 0.5 + [6.0, -11.0],
        at(face, "LPM", 0, 24),
    ])  # fmt: skip
    symphysis = closed([
        moved(ridge, -2, 3), moved(b, -1.2, 0), moved(pog, -1.5, 0.0), moved(me, 2.0, -1.6),
        moved(me, -5.5, -3.5),
        at(face, "B", -13, 8), at(face, "B", -11, -6),
    ])  # fmt: skip
    body = closed([
        moved(me, -6.0, -6.0), go * 0.5 + me * 0.5 + [2.0, -3.0], moved(go, 8.0, -2.0),
        moved(go, 20.0, -16.0),
        at(face, "LMT", -6, 16), at(face, "LPM", 0, 18), at(face, "B", -8, 4),
    ])  # fmt: skip
    return [
        Shape(outline, 0.30), Shape(body, 0.26, soft=True), Shape(lower, 0.46, 1.8),
        Shape(ramus, 0.24, 1.4), Shape(chin, 0.48, 1.5), Shape(symphysis, 0.18, soft=True),
        Shape(symphysis, 0.30, 1.2), Shape(canal, -0.10, 2.2),
        Shape(ellipse(moved(co, 0.2, 4.6), 4.2, 4.4), 0.14, soft=True),
    ]  # fmt: skip


def airway(face: Floats) -> list[Shape]:
    """Return the air of the throat behind palate and tongue, and the hyoid bone."""
    pns, go = at(face, "PNS"), at(face, "Go")
    air = closed([
        moved(pns, -3.0, -10.0), moved(pns, -5.0, 4.0), moved(pns, -12.0, 10.0), moved(go, 10.0, -10.0),
        moved(go, 8.0, 8.0), moved(go, 11.0, 34.0), moved(go, 8.0, 140.0), moved(go, 0.0, 140.0),
        moved(go, -1.0, 30.0),
        moved(go, -1.5, 0.0), (-7.0, 52.0), (0.0, 32.0), (12.0, 24.0),
    ])  # fmt: skip
    mouth = opened([at(face, "UMT", -8, 0), at(face, "UPM", 0, -7), at(face, "UIT", -9, -6)])
    hyoid = closed([
        moved(go, 24.0, 34.0), moved(go, 31.0, 30.0), moved(go, 33.0, 34.0), moved(go, 27.0, 37.0),
        moved(go, 12.0, 29.0),
    ])  # fmt: skip
    return [
        Shape(air, -0.07), Shape(air, -0.14, soft=True), Shape(mouth, -0.06, 2.5, soft=True),
        Shape(hyoid, 0.28),
    ]  # fmt: skip
