"""Phantom nails: one photograph of a fingertip a person, blood under the nail plate as in the mucosa.

Geometry: a finger from below, turned and shifted, on plain paper; coordinates (u across, v towards the
tip) are in half pictures, and outlines are superellipses. On the nail: the lunula (matrix, which hides
most of the blood), the bed, the free edge (keratin without blood), a shine. Hb moves the colour of the
bed and a little that of the skin; the person's blood path and melanin, the light and the camera move
both too, so that it is to be read from ratios, best against the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from rich.progress import track

from assay.systems.hemoglobin.data.phantom import (
    BLOOD_PATH,
    developed,
    illumination,
    mucosa_colour,
    smooth_noise,
)
from assay.systems.hemoglobin.data.phantom_set import HB_RANGE, finish_set

if TYPE_CHECKING:
    from assay.systems.hemoglobin.data.params import PeoplePhantom
    from assay.systems.hemoglobin.data.phantom import (
        Floats,
    )
    from assay.systems.hemoglobin.data.phantom_set import Row

TABLE = "nail_meta_1.csv"
SKIN = np.array([0.90, 0.70, 0.58])  # reflectance of bloodless skin
BED = np.array([0.93, 0.70, 0.74])  # of the bloodless nail bed
KERATIN = np.array([0.88, 0.85, 0.76])  # of the plate: alone at the free edge, a veil over the bed
VEIL = 0.15  # share of the light that the plate throws back before it reaches blood
SKIN_BLOOD = 0.30  # of the bed's blood path
LUNULA_BLOOD = 0.35  # of the bed's blood path


@dataclass(frozen=True)
class Person:
    """What stays the same on every photograph of a person.

    Attributes:
        hb: g/dL.
        blood_path: blood fraction × optical path in the nail bed, cm.
        melanin: of the skin, 0 (fair) to 1 (dark); the nail bed has a tenth of it.
        lunula: its height as a share of the nail's half length; small on many hands.
    """

    hb: float
    blood_path: float
    melanin: float
    lunula: float


@dataclass(frozen=True)
class Finger:
    """Where the finger lies: position (u, v) of each pixel, (size, size), and its outlines."""

    u: Floats
    v: Floats
    width: float
    nail_width: float
    nail_length: float
    blur: float

    @property
    def across(self) -> Floats:
        """Return the position across the finger, 1 at its edge; it tapers towards the tip."""
        return self.u / (self.width * (1.04 - 0.08 * self.v))

    def finger(self) -> Floats:
        """Return the finger's distance, 1 at its outline."""
        return _norm(self.across, np.clip(self.v - 0.15, 0, None) / 0.62, 2.3)

    def nail(self, shorter: float = 0.0) -> Floats:
        """Return the nail's distance, 1 at its outline; `shorter` cuts a share of its distal half."""
        v = (self.v - 0.18) / self.nail_length
        distal = _norm(self.u / self.nail_width, v / (1 - shorter), 3.2)
        return np.where(v > 0, distal, _norm(self.u / self.nail_width, v, 2.4))

    def lunula(self, height: float) -> Floats:
        """Return the half-moon's distance, 1 at its outline; it stands on the nail's lower end."""
        v = self.v - 0.18 + self.nail_length
        return _norm(self.u / (0.66 * self.nail_width), v / (height * self.nail_length), 2.0)

    def inside(self, distance: Floats, softness: float = 1.0) -> Floats:
        """Return 1 inside an outline, 0 outside, and a soft edge between."""
        soft = np.clip((1 - distance) / (softness * self.blur) + 0.5, 0, 1)
        return soft * soft * (3 - 2 * soft)


def _norm(a: Floats, b: Floats, power: float) -> Floats:
    distance: Floats = (np.abs(a) ** power + np.abs(b) ** power) ** (1 / power)
    return distance


def draw_person(hb: float, random: np.random.Generator) -> Person:
    """Draw the blood, skin and lunula of a person of that Hb."""
    return Person(
        hb=hb,
        blood_path=BLOOD_PATH * float(np.exp(random.normal(0, 0.07))),
        melanin=float(random.uniform(0.05, 0.9)),
        lunula=float(random.uniform(0.25, 0.75)),
    )


def draw_finger(size: int, random: np.random.Generator) -> Finger:
    """Draw the finger's angle (up to about 30°), place and proportions."""
    y, x = np.mgrid[1 : -1 : complex(size), -1 : 1 : complex(size)]
    angle, scale = random.normal(0, 0.20), random.uniform(0.85, 1.10)
    x, y = x - random.normal(0, 0.06), y - random.normal(0.05, 0.06)
    u = (x * np.cos(angle) - y * np.sin(angle)) / scale
    v = (x * np.sin(angle) + y * np.cos(angle)) / scale
    width = random.uniform(0.48, 0.58)
    share, slender = random.uniform(0.70, 0.78), random.uniform(1.05, 1.30)
    return Finger(u, v, width, width * share, width * share * slender, 8 / size)


def draw_nail(person: Person, size: int, random: np.random.Generator) -> Image.Image:
    """Return one opaque RGB photograph (size, size) of a fingertip on plain paper."""
    finger = draw_finger(size, random)
    linear = _paper(finger, random)
    linear = _laid(linear, _skin(person, finger, random), finger.inside(finger.finger()))
    linear = _laid(linear, _nail(person, finger, random), finger.inside(finger.nail()))
    encoded = developed(linear * illumination(size, random), random)
    return Image.fromarray(encoded.round().astype(np.uint8), "RGB")


def _laid(below: Floats, above: Floats, share: Floats) -> Floats:
    return below + (above - below) * share[..., None]


def _paper(finger: Finger, random: np.random.Generator) -> Floats:
    """Return plain paper, grey with a slight tint, and the finger's soft shadow on it."""
    grey = random.uniform(0.45, 0.75) * np.exp(random.normal(0, 0.02, 3))
    shadow = np.exp(-((np.clip(finger.finger() - 1, 0, None) / 0.25) ** 2))
    return grey * (1 - 0.35 * shadow[..., None])


def _skin(person: Person, finger: Finger, random: np.random.Generator) -> Floats:
    """Return the skin: round, with creases at the joint, a groove and a fold around the nail."""
    colour = mucosa_colour(person.hb, person.blood_path * SKIN_BLOOD, 1.6 * person.melanin, SKIN)
    size = len(finger.u)
    light = np.sqrt(np.clip(1 - 0.80 * np.clip(finger.finger(), 0, 1) ** 2, 0, 1))
    light *= 1 + 0.05 * smooth_noise(size, random) * light + 0.02 * smooth_noise(size, random, 40)
    for joint in random.uniform(-1.05, -0.60, 3):
        bend = finger.v - joint - 0.10 * finger.u**2 - 0.02 * smooth_noise(size, random)
        light *= 1 - 0.22 * np.exp(-((bend / 0.025) ** 2))
    beside = finger.nail() - 1
    groove = (
        1 - 0.45 * np.exp(-((beside / 0.05) ** 2)) + 0.08 * np.exp(-(((beside - 0.17) / 0.08) ** 2))
    )
    return colour * (light * groove)[..., None]


def _nail(person: Person, finger: Finger, random: np.random.Generator) -> Floats:
    """Return the nail: bed, lunula, free edge; curved, ridged, shining."""

    def bed(blood: float, tissue: Floats = BED) -> Floats:
        return mucosa_colour(person.hb, person.blood_path * blood, 0.1 * person.melanin, tissue)

    size = len(finger.u)
    patchy = 1 + 0.04 * np.clip(smooth_noise(size, random), -2, 2)
    linear = BED * (bed(1.0) / BED) ** patchy[..., None]
    moon = finger.inside(finger.lunula(person.lunula), 5)
    linear = _laid(linear, bed(LUNULA_BLOOD, BED * 1.04), 0.85 * moon)
    linear = (1 - VEIL) * linear + VEIL * KERATIN
    edge = 1 - finger.inside(finger.nail(shorter=random.uniform(0.10, 0.28)), 1.5)
    linear = _laid(linear, np.broadcast_to(KERATIN, linear.shape), edge)
    across = finger.u / finger.nail_width
    curve = np.sqrt(np.clip(1 - 0.55 * across**2, 0, 1))
    ridges = 1 + 0.012 * np.cos(across * random.uniform(18, 26) + random.uniform(0, 6))
    rim = 1 - 0.25 * np.exp(-(((finger.nail() - 1) / 0.05) ** 2))
    return linear * (curve * ridges * rim)[..., None] + _shine(finger, random)[..., None]


def _shine(finger: Finger, random: np.random.Generator) -> Floats:
    """Return the lamp's mirror image along the nail: light of its own, whatever lies below."""
    across = finger.u / finger.nail_width
    place, width = random.uniform(-0.45, 0.45), random.uniform(0.08, 0.16)
    along = (finger.v - random.uniform(0.15, 0.30)) / (0.6 * finger.nail_length)
    strength = random.uniform(0.06, 0.22)
    shine: Floats = strength * np.exp(-(((across - place) / width) ** 2) - along**4)
    return shine


def write_nail_set(folder: Path, params: PeoplePhantom) -> None:
    """Write the photographs and their table; the same parameters give the same bytes."""
    random = np.random.default_rng(params.seed)
    (folder / "nail").mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for number in track(range(1, params.people + 1), "phantom nail"):
        hb = round(float(random.uniform(*HB_RANGE)), 1)
        name = f"nail/{number:04d}.png"
        image = draw_nail(draw_person(hb, random), params.size, random)
        # Stored, not deflated: compressors give other bytes on other processors.
        image.save(folder / name, compress_level=0)
        rows.append((name, hb, str(number)))
    finish_set(folder / TABLE, rows, params, random)
