"""What may be wrong between a film and its points: each a change that would undo it, and its name.

A check that finds points off their films tries them all and says which one fits best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from assay.systems.ceph.data.films import Films
    from assay.systems.ceph.data.mean_face import Floats

# Sides that networks are fed; with 1 and 100 shares of a film's own sides.
SQUARES = (128, 224, 256, 320, 384, 448, 512, 640, 768, 1024)
SCALES = 1.01 ** np.arange(-92, 93)  # 0.4–2.5
SHIFTS = np.arange(-40.0, 41.0, 4.0)  # mm of a mean face, along either side
NEAR = 4.0  # mm: points that are moved less are where they were


@dataclass(frozen=True)
class Hypothesis:
    """One thing that may be wrong.

    Attributes:
        what: it looks most like this.
        undone: the films as they would be, were it so and undone.
        moves: whether points are moved, and films are not.
        numbered: what it is without its number.
    """

    what: str
    undone: Callable[[Films], Films]
    moves: bool = True
    numbered: str = ""

    @property
    def family(self) -> str:
        """Return what those share that differ by a number alone."""
        return self.numbered or self.what


def hypotheses(films: Films) -> list[Hypothesis]:
    """Return what may be wrong with these films, the plainer first: of two that fit alike it is told."""
    return [*film_changes(), *_units(), *_scaled(), *_shifted(films)]


def likeliest(tried: Sequence[Hypothesis], gain: Floats, tie: float) -> int:
    """Return the number of the hypothesis that gains most, of a plainer family where that ties."""
    near = [number for number, each in enumerate(gain) if each >= gain.max() - tie]
    families = [each.family or each.what for each in tried]
    return max(
        (each for each in near if families[each] == families[near[0]]), key=lambda n: gain[n]
    )


def moves_points(films: Films, hypothesis: Hypothesis) -> bool:
    """Whether a hypothesis changes more than a reader's hand does."""
    if not hypothesis.moves:
        return True
    by = np.linalg.norm(hypothesis.undone(films).points - films.points, axis=2)
    with np.errstate(invalid="ignore"):
        return bool((by > NEAR * np.abs(films.pose)[:, None]).sum() > np.isfinite(by).sum() / 2)


def film_changes() -> list[Hypothesis]:
    """Return what may be wrong with the films themselves."""

    def turned(what: str, turn: Callable[[Films], Films]) -> Hypothesis:
        return Hypothesis(what, turn, moves=False)

    def lying(films: Films, turns: int, *, mirror: bool = False) -> Films:
        """Turn films and their sides; the points are said of what comes out."""
        grey = np.rot90(films.grey[:, :, ::-1] if mirror else films.grey, turns, axes=(1, 2))
        extent = films.extent[:, ::-1] if turns % 2 else films.extent
        return replace(films, grey=grey, extent=extent)

    return [
        turned("a negative: light and dark are exchanged",
               lambda films: replace(films, grey=255 - films.grey)),
        turned("a mirrored film", lambda films: lying(films, 0, mirror=True)),
        turned("a film upside down", lambda films: lying(films, 2, mirror=True)),
        turned("a film turned by 180°", lambda films: lying(films, 2)),
        turned("a film with x and y exchanged", lambda films: lying(films, 1, mirror=True)),
        turned("a film turned by 90° clockwise", lambda films: lying(films, 1)),
        turned("a film turned by 90° anticlockwise", lambda films: lying(films, 3)),
    ]  # fmt: skip


def _units() -> list[Hypothesis]:
    def of_sides(side: float) -> Callable[[Films], Films]:
        return lambda films: films.at(films.points * films.extent[:, None] / side)

    def letterboxed(side: int) -> Callable[[Films], Films]:
        def undone(films: Films) -> Films:
            sides = films.extent[:, None]
            scale = side / sides.max(axis=2, keepdims=True)
            return films.at((films.points - (side - 1) / 2) / scale + (sides - 1) / 2)

        return undone

    return [
        Hypothesis("points as shares (0–1) of the film's sides", of_sides(1)),
        Hypothesis("points in per cent of the film's sides", of_sides(100)),
        Hypothesis("points in mm", lambda films: films.at(films.points / films.spacing[:, None, None])),
        *(Hypothesis(f"points of a film letterboxed to {side} px", letterboxed(side))
          for side in SQUARES),
        *(Hypothesis(f"points of a film stretched to {side} × {side} px", of_sides(side))
          for side in SQUARES),
    ]  # fmt: skip


def _scaled() -> list[Hypothesis]:
    def scaled(factor: float) -> Callable[[Films], Films]:
        return lambda films: films.at(films.points * factor)

    return [
        Hypothesis(
            f"points of an image {1 / factor:.2f} × as large", scaled(factor), numbered="scaled"
        )
        for factor in sorted(SCALES, key=lambda each: abs(np.log(each)))
    ]


def _shifted(films: Films) -> list[Hypothesis]:
    """Return shifts by whole steps of the face; told in px, as a border of one width would be."""
    face = float(np.median(np.abs(films.pose)))
    offsets = sorted(((x, y) for x in SHIFTS for y in SHIFTS), key=lambda each: np.hypot(*each))

    def shifted(offset: tuple[float, float]) -> Callable[[Films], Films]:
        return lambda films: films.at(films.points + np.array(offset) * face)

    return [
        Hypothesis(
            f"points shifted by about ({-x * face:+.0f}, {-y * face:+.0f}) px, as by a border cut off",
            shifted((x, y)),
            numbered="shifted",
        )
        for x, y in offsets
    ]
