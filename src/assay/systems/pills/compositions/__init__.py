"""Compositions of the system `pills`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.systems.pills.compositions.combo import Combo

if TYPE_CHECKING:
    from assay.composition import Composition

COMPOSITIONS: dict[str, Composition] = {each.name: each for each in (Combo(),)}
