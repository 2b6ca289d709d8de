"""The 32 maps that leave the law structure → spectra as it is: a move of the structure, and of its cells.

A periodic structure under unpolarised light of normal incidence obeys the eight moves of the square,
each with or without a roll by half a period along rows, columns or both. Each carries the power of the
four sensor cells along: the cells are positions, the wavelengths stay. A map is a transpose, then
flips, then rolls, each or none: 2 · 4 · 4 in all.

Flips of one axis, quarter turns and rolls along one axis carry a green cell onto red or blue: they are
true of four cells kept apart, and of published labels, where G1 = G2, of diagonal-symmetric structures.
The other eight (`shift8`) also hold where the two green cells were averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt
from torch import Tensor

Name = Literal["none", "rot180", "shift8", "full32"]
Pair = tuple[bool, bool]  # along rows, along columns
Cells = tuple[int, int, int, int]
Scalar = TypeVar("Scalar", bound=np.generic)
NAMES: tuple[Name, ...] = get_args(Name)

_SQUARE = {  # transposed, flipped along (rows, columns)
    "identity": (False, (False, False)),
    "rot180": (False, (True, True)),
    "transpose": (True, (False, False)),
    "anti-transpose": (True, (True, True)),
    "flip-rows": (False, (True, False)),
    "flip-columns": (False, (False, True)),
    "rot90": (True, (True, False)),
    "rot270": (True, (False, True)),
}
_ROLLS = {(False, False): "", (True, False): "+roll-rows", (False, True): "+roll-columns",
          (True, True): "+roll-both"}  # fmt: skip


@dataclass(frozen=True)
class Map:
    """One map: what it does to a structure, and what it claims this does to the four cells.

    Attributes:
        transposed: rows and columns of the structure are exchanged, before all else.
        flipped: the axes that are reversed.
        rolled: the axes that are rolled by half a period.
        cells: new cell k is old cell `cells[k]`, in the order R, G1, G2, B.
    """

    transposed: bool
    flipped: Pair
    rolled: Pair
    cells: Cells

    @property
    def name(self) -> str:
        """`rot180+roll-rows`; the move alone gives it."""
        square = (self.transposed, self.flipped)
        return next(n for n, move in _SQUARE.items() if move == square) + _ROLLS[self.rolled]

    def structures(self, structures: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Move structures (…, h, w), h = w even; dtype as given, a view where that is possible."""
        moved = np.swapaxes(structures, -2, -1) if self.transposed else structures
        flips = tuple(axis for axis, on in zip((-2, -1), self.flipped, strict=True) if on)
        moved = np.flip(moved, flips) if flips else moved
        rolls = tuple(axis for axis, on in zip((-2, -1), self.rolled, strict=True) if on)
        return np.roll(moved, [moved.shape[a] // 2 for a in rolls], rolls) if rolls else moved

    def spectra(self, spectra: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Permute the cells of spectra (…, 2, 2, bins)."""
        flat = spectra.reshape(*spectra.shape[:-3], 4, spectra.shape[-1])
        return flat[..., list(self.cells), :].reshape(spectra.shape)

    def tensors(self, structures: Tensor) -> Tensor:
        """Move structures (…, h, w) of torch, as `structures` moves those of numpy."""
        moved = structures.transpose(-2, -1) if self.transposed else structures
        flips = [axis for axis, on in zip((-2, -1), self.flipped, strict=True) if on]
        moved = moved.flip(flips) if flips else moved
        rolls = [axis for axis, on in zip((-2, -1), self.rolled, strict=True) if on]
        return moved.roll([moved.shape[a] // 2 for a in rolls], rolls) if rolls else moved

    def outputs(self, spectra: Tensor) -> Tensor:
        """Permute the cells of spectra (…, 2, 2, bins) of torch."""
        return spectra.flatten(-3, -2)[..., list(self.cells), :].reshape(spectra.shape)

    def after(self, first: Map) -> Map:
        """Return the map that is `first`, then this one."""
        flipped, rolled = first.flipped, first.rolled
        if self.transposed:
            flipped, rolled = flipped[::-1], rolled[::-1]
        return Map(
            self.transposed != first.transposed,
            (self.flipped[0] != flipped[0], self.flipped[1] != flipped[1]),
            (self.rolled[0] != rolled[0], self.rolled[1] != rolled[1]),
            _cells([first.cells[k] for k in self.cells]),
        )

    @property
    def inverse(self) -> Map:
        """The map that undoes this one."""
        swap = self.transposed
        flipped, rolled = (
            (self.flipped[::-1], self.rolled[::-1]) if swap else (self.flipped, self.rolled)
        )
        return Map(swap, flipped, rolled, _cells([self.cells.index(k) for k in range(4)]))


def _cells(order: list[int]) -> Cells:
    return order[0], order[1], order[2], order[3]


def lawful(transposed: bool, flipped: Pair, rolled: Pair) -> Map:
    """Return the map of a move with its true cells, on which a roll by half acts as a flip."""
    rows, columns = flipped[0] != rolled[0], flipped[1] != rolled[1]
    order = []
    for i, j in product((0, 1), repeat=2):
        row, column = (1 - i if rows else i), (1 - j if columns else j)
        order.append(2 * column + row if transposed else 2 * row + column)
    return Map(transposed, flipped, rolled, _cells(order))


def _all() -> dict[str, Map]:
    maps = [lawful(*move, roll) for roll in _ROLLS for move in _SQUARE.values()]
    return {one.name: one for one in maps}


MAPS: dict[str, Map] = _all()  # all 32, by name
_EIGHT = ("identity", "rot180", "transpose", "anti-transpose")
SYMMETRIES: dict[Name, tuple[Map, ...]] = {
    "none": (MAPS["identity"],),
    "rot180": (MAPS["identity"], MAPS["rot180"]),
    "shift8": tuple(MAPS[name + roll] for roll in ("", "+roll-both") for name in _EIGHT),
    "full32": tuple(MAPS.values()),
}
