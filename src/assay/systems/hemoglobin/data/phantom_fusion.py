"""Phantom pairs: nails and conjunctivae of the same people, in the fusion study's layout.

A person has one Hb, lower in women and a little lower in age. Nail and eye are drawn by the phantoms of
their own sets: each has its own blood path and skin, and each photograph its own light and camera. So
either view reads Hb up to its own blood path, and both together better than one.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import track

from assay.systems.hemoglobin.data.pairing import HANDS, SIDES
from assay.systems.hemoglobin.data.phantom import BLOOD_PATH, draw_conjunctiva
from assay.systems.hemoglobin.data.phantom_nail import Person, draw_nail
from assay.systems.hemoglobin.data.phantom_set import plant_broken

if TYPE_CHECKING:
    from PIL import Image

    from assay.systems.hemoglobin.data.params import PeoplePhantom

TABLE = "fusion_meta.csv"
COLUMNS = ("nail_image_path", "conj_image_path", "hb_value", "patient_id", "side", "age", "gender")
HB_RANGE = (8.0, 15.5)  # g/dL; gender and age move it to about 7–17
AGES = (18.0, 80.0)  # years
WOMEN_LOWER = 2.4  # g/dL: more than in adults (1.5), so that 26 people show it
YEAR = 0.03  # g/dL that a year of age takes
PATH_SPREAD = (
    0.10,
    0.14,
)  # of the logarithm of a nail's and an eye's blood path: what each cannot know
Row = tuple[str, str, float, str, str, float, str]


def write_pairs(folder: Path, params: PeoplePhantom) -> None:
    """Write the photographs and their table; the same parameters give the same bytes."""
    random = np.random.default_rng(params.seed)
    people = draw_people(params.people, random)
    rows: list[Row] = []
    for number, (hb, age, gender) in enumerate(track(people, "phantom pairs"), 1):
        pictures = draw_pictures(hb, params.size, random)
        names = {place: f"{place}/{number:02d}.png" for place in pictures}
        for place, image in pictures.items():
            (folder / place).mkdir(exist_ok=True)
            # Stored, not deflated: compressors give other bytes on other processors.
            image.save(folder / names[place], compress_level=0)
        rows += [
            (names[f"{nail}_nail"], names[f"{eye}_eye"], hb, str(number), side, age, gender)
            for side, (nail, eye) in SIDES.items()
        ]
    shown = [name for row in rows for name in row[:2]]
    _plant_conflicts(folder, rows, params.conflicts, random)
    plant_broken(folder, list(dict.fromkeys(shown)), params.broken)
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows])


def draw_people(count: int, random: np.random.Generator) -> list[tuple[float, float, str]]:
    """Return Hb (g/dL), age (years) and gender of each; both genders and all ages in equal shares."""
    shares = [(random.permutation(count) + random.random(count)) / count for _ in range(2)]
    hb, age = (
        low + share * (high - low)
        for share, (low, high) in zip(shares, (HB_RANGE, AGES), strict=True)
    )
    is_man = random.permutation(count) % 2
    hb = hb + WOMEN_LOWER * (is_man - 0.5) - YEAR * (age - np.mean(AGES))
    return [
        (round(float(one), 1), round(float(years), 1), "FM"[man])
        for one, years, man in zip(hb, age, is_man, strict=True)
    ]


def draw_pictures(hb: float, size: int, random: np.random.Generator) -> dict[str, Image.Image]:
    """Return a person's two nails and two eyes (size, size), by the folder that they lie in."""
    nail_path, eye_path = BLOOD_PATH * np.exp(random.normal(0, PATH_SPREAD, 2))
    skin, mucosa = float(random.uniform(0.05, 0.9)), float(random.uniform(0, 0.5))
    person = Person(hb, float(nail_path), skin, lunula=float(random.uniform(0.25, 0.75)))
    hands = HANDS.values()
    nails = {f"{hand}_nail": draw_nail(person, size, random) for hand in hands}
    eyes = {f"{hand}_eye": draw_conjunctiva(hb, eye_path, mucosa, size, random) for hand in hands}
    return nails | eyes


def _plant_conflicts(
    folder: Path, rows: list[Row], count: int, random: np.random.Generator
) -> None:
    """Copy a person's first pair under another id, with another Hb."""
    for nail, eye, hb, person, *rest in rows[: len(SIDES) * count : len(SIDES)]:
        copies = [f"{Path(name).parent}/copy{person}.png" for name in (nail, eye)]
        for name, copy in zip((nail, eye), copies, strict=True):
            shutil.copyfile(folder / name, folder / copy)
        other = round(hb + float(random.uniform(1, 2)), 1)
        rows.append((*copies, other, f"copy{person}", *rest))  # type: ignore[arg-type]
