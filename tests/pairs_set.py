"""A small set of two views in the layout of the fusion study: paired photographs of nail and conjunctiva.

Twelve people, two photographs of each view: four rows a person, left and right nail by left and right
conjunctiva, so that every photograph stands in two rows.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from assay.contract.base_system import BaseSystem
from assay.contract.listing import Listing
from assay.manifest.published import faults, number, read_published
from assay.manifest.snapshot import Snapshot, write_snapshot
from assay.manifest.source import Source
from assay.sections.data import DataParams
from assay.sections.machine import Runtime
from assay.sections.section import Section
from assay.stages.launch import Stage

Pixels = npt.NDArray[np.uint8]
Key = tuple[int, str, str]  # person, view, side

TABLE = "pairs.csv"
COLUMNS = ("nail_image_path", "conj_image_path", "hb_value", "patient_id", "side", "age", "gender")
PEOPLE, SIDES, VIEWS = 12, ("left", "right"), ("nail", "conjunctiva")
KEYS = [(person, view, side) for person in range(PEOPLE) for view in VIEWS for side in SIDES]
BROKEN: Key = (1, "nail", "left")
# Of one Hb: a copy and no conflict; of another: a conflict. Neither is in the first view.
COPY = ((3, "conjunctiva", "right"), (2, "conjunctiva", "left"))
CONFLICT = ((8, "conjunctiva", "left"), (7, "conjunctiva", "left"))
ALIKE = ((6, "conjunctiva", "left"), (5, "nail", "right"))  # at half the size, in another view


def textured(seed: int, height: int = 180, width: int = 240) -> Pixels:
    """Blobs, lines and a colour of its own: what a photograph has and noise has not."""
    random = np.random.default_rng(seed)
    image = np.full((height, width, 3), random.integers(60, 190, 3), dtype=np.uint8)
    for _ in range(60):
        ink = [int(level) for level in random.integers(20, 236, 3)]
        x, y = (int(place) for place in random.integers(0, [width, height]))
        reach = int(random.integers(4, 22))
        if random.random() < 0.5:
            cv2.circle(image, (x, y), reach, ink, -1)
        else:
            end = (x + int(random.integers(-50, 50)), y + int(random.integers(-50, 50)))
            cv2.line(image, (x, y), end, ink, reach // 4 + 1)
    return cv2.GaussianBlur(image, (0, 0), 1.0).astype(np.uint8)


def name_of(key: Key) -> str:
    person, view, side = key
    return f"{view}/p{person:02d}_{side}.png"


def hb_of(person: int) -> float:
    """Return the person's Hb, g/dL; 2 and 3 have the same."""
    return 8.0 + 0.5 * (2 if person == 3 else person)


def write_pairs(
    folder: Path,
    copies: Sequence[tuple[Key, Key]] = (COPY, CONFLICT),
    broken: Sequence[Key] = (BROKEN,),
) -> None:
    """Write photographs and table; the first of each of `copies` has the bytes of the second."""
    images = {key: textured(seed) for seed, key in enumerate(KEYS)}
    images[ALIKE[0]] = cv2.resize(images[ALIKE[1]], (120, 90), interpolation=cv2.INTER_AREA)
    content = {key: encoded(image) for key, image in images.items()}
    content |= {one: content[other] for one, other in copies}
    for key, file in content.items():
        path = folder / name_of(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file[: len(file) // 2] if key in broken else file)
    rows = [
        (name_of((person, "nail", nail)), name_of((person, "conjunctiva", eye)), hb_of(person),
         f"p{person}", f"{nail}-{eye}", 20 + 3 * person, "FM"[person % 2])
        for person in range(PEOPLE) for nail in SIDES for eye in SIDES
    ]  # fmt: skip
    pl.DataFrame(rows, COLUMNS, orient="row").write_csv(folder / TABLE)


def encoded(image: Pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


class PairsParams(DataParams):
    """The section `pairs`; its phantom is written by `write_pairs`."""

    phantom: Section


class Pairs(BaseSystem):
    """The system `pairs`."""

    name = "pairs"
    views: Mapping[str, str] = {"nail": "nail_path", "conjunctiva": "conjunctiva_path"}
    covariates = ("age", "gender")
    target = "hb"
    params = PairsParams

    def phantom(self, folder: Path, params: Any) -> None:
        write_pairs(folder)

    def read(self, source: Source) -> Listing:
        """List the pairings."""
        content = source.text(TABLE)
        assert content is not None
        lines = read_published(content, source.uri(TABLE), COLUMNS)
        age = number("age")
        table = lines.select(
            sample_id=pl.col("patient_id") + "-" + pl.col("side"),
            nail_path="nail_image_path",
            conjunctiva_path="conj_image_path",
            item=pl.lit(0),
            group="patient_id",
            subset=pl.lit("pairs"),
            hb=number("hb_value"),
            age=age,
            gender=(pl.col("gender") == "M").cast(pl.Float64),
            line="line",
            fault=faults(TABLE, [(age.is_null(), pl.lit("age is not a number"))]),
        )
        return Listing(table, "patient", [TABLE])


PAIRS = Pairs()


def stage(name: str, root: Path, conflict: str = "drop", copy: str = "full") -> Stage:
    """Return a stage of the set in `root / "set"`."""
    section = {
        "source": "set",
        "phantom": {},
        "policy": {
            "conflict": conflict,
            "similar": "group",
            "spelling": "stop",
            "units": "stop",
            "agreement": "stop",
        },
        "ingest": {"size": 16, "decoder": "pillow", "max_broken_share": 0.1, "copy": copy},
        "similar": {"search": "features", "n_neighbors": 4, "null_pairs": 40, "seed": 1},
        "split": {"test": 0.2, "folds": 3, "n_bins": 2, "seed": 1},
        "seal": {"looks": 1},
    }
    declared, events = {"pairs": section}, Any
    return Stage(f"{name}@pairs", "pairs", root, declared, {}, Runtime(), "key", events)  # type: ignore[arg-type]


def prepare(root: Path, **planted: Any) -> None:
    """Write the set, and a snapshot that states nothing of it."""
    write_pairs(root / "set", **planted)
    (root / "data").mkdir()
    write_snapshot(root, "pairs", Snapshot(url="elsewhere"))
