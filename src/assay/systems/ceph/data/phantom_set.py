"""A phantom set in the published layout: films, both readers' points, CVM stages, the machine table.

The files hold what the readers saw, not the truth. Same parameters, same bytes.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from rich.progress import track

from assay.systems.ceph.data.landmarks import LANDMARKS, STAGE_IDS
from assay.systems.ceph.data.layout import IMAGES, KINDS, SPLITS
from assay.systems.ceph.data.machines import COLUMNS, TABLE
from assay.systems.ceph.data.phantom import draw_films

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats
    from assay.systems.ceph.data.params import Phantom
    from assay.systems.ceph.data.phantom import PhantomFilm

DATASET = "phantom: nobody was X-rayed"
Entries = list[dict[str, object]]


def write_set(folder: Path, params: Phantom) -> None:
    """Write the set into the empty `folder`; the last films carry the faults that were asked for."""
    for split in SPLITS:
        for place in (IMAGES, *KINDS.values()):
            (folder / split / place).mkdir(parents=True, exist_ok=True)
    lines: list[tuple[str, ...]] = []
    broken = params.films - params.broken
    missing = broken - params.missing
    doubled = missing - params.doubled
    pairs = doubled - params.pairs
    films = track(draw_films(params), "phantom films", params.films)
    for number, film in enumerate(films):
        image = _write_image(folder, film)
        notes = {kind: _entries(points) for kind, points in film.readers.items()}
        if number >= broken:
            image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
        elif number >= missing:
            del notes["junior"][number % len(LANDMARKS)]
        elif number >= doubled:
            notes["senior"].append(_moved(notes["senior"][number % len(LANDMARKS)]))
        _write_notes(folder, film, film.id, film.split, notes)
        lines.append(_line(film, film.id, film.split))
        if pairs <= number < doubled:
            lines.append(_write_twin(folder, film, image, params))
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([COLUMNS, *sorted(lines)])


def _write_image(folder: Path, film: PhantomFilm) -> Path:
    path = folder / film.split / IMAGES / f"{film.id}.{film.machine.extension}"
    image = Image.fromarray(film.grey)
    # PNG is stored, not deflated: compressors give other bytes on other processors.
    image.save(path, compress_level=0, quality=92)
    return path


def _write_notes(
    folder: Path, film: PhantomFilm, name: str, split: str, notes: dict[str, Entries]
) -> None:
    """Write the three annotation files, with the keys that the published ones have."""
    number = film.stage + 1
    stage = {"id": STAGE_IDS[film.stage], "title": f"CVM-S{number}", "value": number}
    bodies: dict[str, dict[str, object]] = {
        kind: {"landmarks": entries} for kind, entries in notes.items()
    }
    bodies["cvm"] = {"cvm_stage": stage}
    for kind, body in bodies.items():
        path = folder / split / KINDS[kind] / f"{name}.json"
        told = {"ceph_id": name, **body, "labeled_at": "", "dataset_name": DATASET}
        path.write_text(json.dumps(told, indent=1), encoding="utf-8")


def _entries(points: Floats) -> Entries:
    return [
        {
            "landmark_id": landmark.id, "title": landmark.title, "symbol": landmark.symbol,
            "value": {"x": int(x), "y": int(y)},
        }
        for landmark, (x, y) in zip(LANDMARKS, points, strict=True)
    ]  # fmt: skip


def _moved(entry: dict[str, object]) -> dict[str, object]:
    """Return the landmark once more, 9 px away: nobody knows which was meant."""
    value = entry["value"]
    assert isinstance(value, dict)
    return {**entry, "value": {"x": value["x"] + 9, "y": value["y"]}}


def _write_twin(folder: Path, film: PhantomFilm, image: Path, params: Phantom) -> tuple[str, ...]:
    """Write the same bytes under another id in another split, read anew by both readers."""
    random = np.random.default_rng([params.seed, int(film.id[-5:]), 1])
    split = SPLITS[(SPLITS.index(film.split) + 1) % len(SPLITS)]
    name = f"{film.id}twin"
    twin = folder / split / IMAGES / f"{name}{image.suffix}"
    twin.write_bytes(image.read_bytes())
    notes = {
        kind: _entries(points + random.integers(-1, 2, points.shape))
        for kind, points in film.readers.items()
    }
    _write_notes(folder, film, name, split, notes)
    return _line(film, name, split)


def _line(film: PhantomFilm, name: str, split: str) -> tuple[str, ...]:
    machine = film.machine
    return (name, machine.name, f"{film.spacing:g}", machine.extension, split.capitalize())
