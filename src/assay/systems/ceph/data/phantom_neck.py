"""The phantom's neck: vertebrae with dens and arches, drawn from the bodies of `phantom_spine`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.systems.ceph.data.phantom_curve import Shape, closed, ellipse, moved
from assay.systems.ceph.data.phantom_spine import DISC

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats
    from assay.systems.ceph.data.phantom_spine import Vertebra


def draw_neck(spine: list[Vertebra]) -> list[Shape]:
    """Return the vertebrae with dens and arches; C2–C4's bodies are as their stage says."""
    axis = spine[0].outline
    front, back = axis[0], axis[1]
    dens = closed([
        moved(front, -2.5, 2.0), moved(front, -3.0, -10.0), moved(front, -6.0, -17.0),
        moved(front, -10.0, -13.0),
        moved(back, 2.5, 2.0),
    ])  # fmt: skip
    atlas = ellipse(moved(front, 1.5, -11.0), 2.3, 4.6, 0.1)
    shapes = [
        Shape(dens, 0.36), Shape(dens, 0.24, 1.0), Shape(atlas, 0.40), Shape(atlas, 0.20, 0.8),
        Shape(ellipse(moved(back, -16.0, -10.0), 9.0, 3.2, 0.15), 0.34, soft=True),
    ]  # fmt: skip
    for vertebra in spine:
        body = vertebra.outline
        middle = (body[1] + body[2]) / 2
        arch = closed([
            moved(middle, 0.0, -3.2), moved(middle, -9.0, -4.5), moved(middle, -20.0, 2.0),
            moved(middle, -22.0, 7.5), moved(middle, -10.0, 5.0), moved(middle, 0.0, 2.8),
        ])  # fmt: skip
        shapes += [
            Shape(body, 0.44), Shape(np.vstack([body, body[:1]]), 0.36, 1.0),
            Shape(arch, 0.30, soft=True), Shape(arch, 0.14, 0.8),
        ]  # fmt: skip
    return [*shapes, *_below(spine[-1].outline)]


def _below(last: Floats) -> list[Shape]:
    """Return what is seen of C5 and C6: copies of C4, so that its lower border has a neighbour."""
    step = (last[2] - last[1] + last[-1] - last[0]) / 2
    step = step * (1 + DISC / float(np.linalg.norm(step)))
    bodies = [last + step * number - [0.4 * number, 0.0] for number in (1, 2)]
    return [
        shape
        for body in bodies
        for shape in (Shape(body, 0.40), Shape(np.vstack([body, body[:1]]), 0.30, 1.0))
    ]
