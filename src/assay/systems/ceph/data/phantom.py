"""Phantom cephalograms: a person a film, whose landmarks are known exactly, and what two readers saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.systems.ceph.data.landmarks import PLACE, STAGES
from assay.systems.ceph.data.layout import SPLITS
from assay.systems.ceph.data.phantom_face import draw_face
from assay.systems.ceph.data.phantom_film import (
    MACHINES,
    exposed,
    place_head,
    rods,
)
from assay.systems.ceph.data.phantom_neck import draw_neck
from assay.systems.ceph.data.phantom_readers import JUNIOR, SENIOR, seen_by
from assay.systems.ceph.data.phantom_skull import draw_skull
from assay.systems.ceph.data.phantom_spine import draw_spine
from assay.systems.ceph.data.phantom_teeth import draw_teeth

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats
    from assay.systems.ceph.data.params import Phantom
    from assay.systems.ceph.data.phantom_film import (
        Grey,
        Place,
        XrayUnit,
    )
    from assay.systems.ceph.data.phantom_spine import Vertebra

NECK = np.array([-17.0, 62.0])  # mm: C2's upper front corner in the mean face
PUBLISHED = (0.70, 0.15, 0.15)  # of the films: train, valid, test


@dataclass(frozen=True)
class PhantomFilm:
    """One phantom film, and all that is true of it.

    Attributes:
        id: its cephalogram id.
        split: the published one.
        stage: CVM, 0–5.
        machine: which X-rayed it.
        spacing: mm a pixel.
        grey: (rows, columns) uint8.
        truth: (29, 2) px, exactly.
        readers: senior, junior: (29, 2) px, whole numbers as published.
        spine: C2–C4 as drawn, mm.
        place: where the head lies; `place.pixels` takes mm of the skull to px of the film.
    """

    id: str
    split: str
    stage: int
    machine: XrayUnit
    spacing: float
    grey: Grey
    truth: Floats
    readers: dict[str, Floats]
    spine: list[Vertebra]
    place: Place


def draw_phantom_film(number: int, split: str, stage: int, params: Phantom) -> PhantomFilm:
    """Draw film `number`; it depends on nothing but the seed, its number and these arguments."""
    random = np.random.default_rng([params.seed, number])
    growth = float(np.clip(stage / (STAGES - 1) + random.normal(0, 0.10), 0, 1))
    face = draw_face(growth, random)
    spine = draw_spine(stage, NECK + random.normal(0, 1.2, 2), random.normal(0.10, 0.06), random)
    machine = MACHINES[int(random.integers(len(MACHINES)))]
    place = place_head(machine, params.width, random)
    shapes = [*draw_skull(face, random), *draw_neck(spine), *draw_teeth(face, random)]
    if machine.rods:
        shapes += rods(face[PLACE["Po"]], face[PLACE["N"]])
    grey = exposed(shapes, machine, place, random)
    spacing = round(machine.spacing * 300 / params.width, 4)
    readers = {
        kind: place.pixels(seen_by(skill, face, random)).round()
        for kind, skill in (("senior", SENIOR), ("junior", JUNIOR))
    }
    name = f"phantom{params.seed}f{number:05d}"
    truth = place.pixels(face)
    return PhantomFilm(name, split, stage, machine, spacing, grey, truth, readers, spine, place)


def draw_films(params: Phantom) -> Iterator[PhantomFilm]:
    """Draw all films: stages in equal shares, published splits in about 70 : 15 : 15, both shuffled."""
    random = np.random.default_rng(params.seed)
    stages = random.permutation(np.arange(params.films) % STAGES)
    ends = np.cumsum(PUBLISHED)[:-1] * params.films
    parts = random.permutation(np.searchsorted(ends, np.arange(params.films), side="right"))
    for number, (stage, part) in enumerate(zip(stages, parts, strict=True)):
        yield draw_phantom_film(number, SPLITS[part], int(stage), params)
