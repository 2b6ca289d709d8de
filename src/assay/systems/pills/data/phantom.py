"""Phantom photographs: which drugs lie on which ground, under which light, from which angle."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.ndimage import zoom

from assay.systems.pills.data.names import TEST, TRAIN
from assay.systems.pills.data.phantom_drugs import DRUGS, k_code
from assay.systems.pills.data.phantom_pill import View, draw_pill

if TYPE_CHECKING:
    from assay.systems.pills.data.params import Phantom
    from assay.systems.pills.data.phantom_pill import Outline

HIGH = 1280 / 976
LATITUDES, TURNS = (70, 75, 90), 18
GROUNDS = (("연회색 배경", (0.72, 0.72, 0.73)), ("진회색 배경", (0.42, 0.43, 0.45)),
           ("하늘색 배경", (0.62, 0.72, 0.78)))  # fmt: skip
LIGHTS = (("주광색", (1.0, 1.0, 1.0)), ("전구색", (1.0, 0.93, 0.82)))
COMBINED = 0.17  # of the width, a pill of 10 mm in a combination; alone 0.38
ALONE = 0.38
# Of brightness: with less, the search for near-identical images takes two pills of a kind for one.
GRAIN = 0.08
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shot:
    """One photograph to be taken.

    Attributes:
        drugs: numbers of the drugs on it.
        subset: `train` or `test` (the validation parts).
        session: number of the session, which decides side, ground, light and camera roll.
        angle: number of the angle.
    """

    drugs: tuple[int, ...]
    subset: str
    session: int
    angle: int

    @property
    def is_front(self) -> bool:
        return self.session % 2 == 0

    @property
    def camera(self) -> tuple[int, int]:
        """Return latitude and longitude, degrees."""
        return LATITUDES[self.angle % 3], self.angle // 3 % TURNS * 20

    @property
    def stem(self) -> str:
        """Return the file name: codes, session, and last the view."""
        codes = "-".join(k_code(drug).removeprefix("K-") for drug in self.drugs)
        side, light, roll = self.session % 2, self.session // 2 % 2, self.session // 4
        latitude, longitude = self.camera
        return f"K-{codes}_0_{2 * light}_{side}_{roll}_{latitude}_{longitude:03d}_200"


def shots(params: Phantom) -> Iterator[Shot]:
    """List all photographs: singles, then combinations; validation parts get a session of their own."""
    drugs = range(params.classes)
    unseen = set(drugs[params.classes - params.unseen :])
    lonely = set(drugs[params.classes - params.unseen - params.lonely :]) - unseen
    for drug in drugs:
        sessions = 1 if drug in lonely else params.sessions
        trained = 0 if drug in unseen else sessions
        yield from _sessions((drug,), trained, params.angles)
    known = [drug for drug in drugs if drug not in unseen | lonely]
    for combined in _combinations(known, params):
        yield from _sessions(combined, params.sessions, params.angles)
    for drug in sorted(unseen) + [each for each in known if not unseen]:
        for angle in range(params.angles):
            yield Shot((drug,), TEST, params.sessions, angle)


def _sessions(drugs: tuple[int, ...], count: int, angles: int) -> Iterator[Shot]:
    for session in range(count):
        for angle in range(angles):
            yield Shot(drugs, TRAIN, session, angle)


def _combinations(known: list[int], params: Phantom) -> list[tuple[int, ...]]:
    """Return different sets of three or four drugs, in sorted order of their codes."""
    random = np.random.default_rng([params.seed, 1])
    found: dict[tuple[int, ...], None] = {}
    size = min(len(known), 4)
    for _ in range(20 * params.combinations):
        if len(found) == params.combinations:
            break
        count = int(random.integers(min(3, size), size + 1))
        found[tuple(sorted(random.choice(known, count, replace=False).tolist()))] = None
    return list(found)


def photograph(shot: Shot, params: Phantom) -> tuple[npt.NDArray[np.uint8], list[list[int]]]:
    """Take a photograph (rows, columns, 3), and return it with the box of each drug, px."""
    picture, outlines = outlined(shot, params)
    return picture, [outline.box for outline in outlines]


def outlined(shot: Shot, params: Phantom) -> tuple[npt.NDArray[np.uint8], list[Outline]]:
    """Take a photograph (rows, columns, 3), and return it with the outline of each drug."""
    latitude, longitude = shot.camera
    random = np.random.default_rng(
        [params.seed, *shot.drugs, shot.subset == TEST, shot.session, shot.angle]
    )
    width, height = params.width, round(params.width * HIGH)
    _, light = LIGHTS[shot.session // 2 % 2]
    picture = _ground(shot.session, width, height, random) * light
    size = ALONE if len(shot.drugs) == 1 else COMBINED
    outlines = []
    for place, drug in zip(_places(len(shot.drugs), random), shot.drugs, strict=True):
        view = View(
            place[0] * width, place[1] * height, size * width / 10,
            math.radians(longitude) + random.uniform(0, 2 * math.pi), latitude, shot.is_front,
        )  # fmt: skip
        outlines.append(draw_pill(picture, DRUGS[drug], view, random.uniform(0.92, 1.06)))
    picture *= 1 + GRAIN * random.normal(size=picture.shape[:2])[..., None]
    picture *= random.uniform(0.92, 1.05)
    noisy = picture + random.normal(0, 0.012, picture.shape)
    return (np.clip(noisy, 0, 1) * 255).round().astype(np.uint8), outlines


def _ground(session: int, width: int, height: int, random: np.random.Generator) -> Floats:
    """Return a sheet of paper, its fibres and its slope of light: another for each photograph."""
    _, colour = GROUNDS[session % len(GROUNDS)]
    coarse = zoom(random.normal(0, 0.09, (9, 7)), (height / 9, width / 7), order=1)
    fine = zoom(random.normal(0, 0.08, (height // 3, width // 3)), 3.1, order=1)[:height, :width]
    return np.asarray(np.array(colour) * (1 + coarse + fine)[..., None])


def _places(count: int, random: np.random.Generator) -> Floats:
    """Return middles as shares of width and height, far enough apart not to touch."""
    if count == 1:
        return np.array([[0.5, 0.5]]) + random.uniform(-0.1, 0.1, (1, 2))
    cells = random.permutation([[0.28, 0.28], [0.72, 0.28], [0.28, 0.72], [0.72, 0.72]])[:count]
    return np.asarray(cells + random.uniform(-0.05, 0.05, (count, 2)))
