"""Labels that are another's: each line of docs/bad-input.md is planted, and goes through the stages."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests import promises
from tests.agreement_set import (
    CEPH,
    CONJUNCTIVA,
    MASKS,
    PHANTOMS,
    PILLS,
    SPECTRA,
    judged,
    section_of,
)

from assay.lookup import find_system
from assay.manifest.layout import Layout
from assay.systems.ceph.data.layout import KINDS

Plant = Callable[[Path], object]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function: system → its sound set, which is made once."""
    made: dict[str, Path] = {}

    def of(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            system = find_system(name)
            params = system.params.model_validate(section_of(name))
            system.phantom(made[name], params.phantom)
        return made[name]

    return of


# Hb


def in_table(change: Callable[[list[float]], list[float]], *tables: str) -> Plant:
    """Change the Hb of tables, person by person."""

    def plant(folder: Path) -> None:
        for table in tables:
            path = folder / f"conj_{table}.csv"
            head, *rows = list(csv.reader(path.open(encoding="utf-8")))
            known = {row[2]: float(row[1]) for row in rows}
            told = dict(zip(known, change(list(known.values())), strict=True))
            with path.open("w", newline="", encoding="utf-8") as stream:
                lines = [[row[0], f"{told[row[2]]:.1f}", row[2]] for row in rows]
                csv.writer(stream).writerows([head, *lines])

    return plant


def shuffled(values: list[Any]) -> list[Any]:
    return [values[each] for each in np.random.default_rng(1).permutation(len(values))]


def following(values: list[Any]) -> list[Any]:
    return [*values[1:], values[0]]


def other_camera(folder: Path) -> None:
    for path in (folder / "folder2").iterdir():
        rgba = np.asarray(Image.open(path)).copy()
        rgba[..., :3] = np.rint(rgba[..., :3] * [0.95, 0.85, 0.78])
        Image.fromarray(rgba).save(path, compress_level=0)


# Structures and spectra


def in_part(change: Callable[[Any], Any], *parts: int, what: str = "spectra_latest") -> Plant:
    def plant(folder: Path) -> None:
        for part in parts:
            path = folder / f"{what}_{part}.npy"
            np.save(path, change(np.load(path)))

    return plant


def next_row(array: Any) -> Any:
    return np.roll(array, 1, axis=0)


# Files beside photographs


def points_of(order: Callable[[list[Any]], list[Any]], *splits: str) -> Plant:
    """Give each film of a split what both readers said of another."""

    def plant(folder: Path) -> None:
        for split in splits:
            for kind in ("senior", "junior"):
                paths = sorted((folder / split / KINDS[kind]).iterdir())
                told = [json.loads(path.read_text()) for path in paths]
                others = order([each["landmarks"] for each in told])
                for path, mine, other in zip(paths, told, others, strict=True):
                    path.write_text(json.dumps({**mine, "landmarks": other}))

    return plant


def boxes_of_the_next(folder: Path) -> None:
    """Exchange the photographs; their labels stay."""
    paths = sorted(folder.rglob("*.png"))
    for path, content in zip(paths, following([each.read_bytes() for each in paths]), strict=True):
        path.write_bytes(content)


def masks_of_others(step: int) -> Plant:
    def plant(folder: Path) -> None:
        paths = sorted((folder / "masks").iterdir())
        contents = [path.read_bytes() for path in paths]
        for number, path in enumerate(paths):
            path.write_bytes(contents[(number + step) % len(paths)])

    return plant


def few_left(folder: Path) -> None:
    path = folder / "conj_folder1.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:25]) + "\n")


@dataclass(frozen=True)
class Planted:
    system: str
    plant: Plant
    policy: str = "stop"


F1, F2 = "folder1", "folder2"
FAULTS = {
    "Hb + 1.5 in one table": Planted(CONJUNCTIVA, in_table(lambda hb: [each + 1.5 for each in hb], F2)),
    "Hb shuffled in one table": Planted(CONJUNCTIVA, in_table(shuffled, F2)),
    "Hb of the next person in one table": Planted(CONJUNCTIVA, in_table(following, F1)),
    "Hb shuffled in every table": Planted(CONJUNCTIVA, in_table(shuffled, F1, F2)),
    "Hb + 1.5 in one table, told": Planted(
        CONJUNCTIVA, in_table(lambda hb: [each + 1.5 for each in hb], F2), "tell"
    ),
    "another camera in one table": Planted(CONJUNCTIVA, other_camera),
    "a table of few people": Planted(CONJUNCTIVA, few_left),
    "R and B exchanged in one part": Planted(SPECTRA, in_part(lambda told: told[:, ::-1], 1)),
    "wavelengths reversed in one part": Planted(SPECTRA, in_part(lambda told: told[..., ::-1], 1)),
    "structures one row off in one part": Planted(
        SPECTRA, in_part(next_row, 0, what="binary_dataset_128")
    ),
    "structures one row off in every part": Planted(
        SPECTRA, in_part(next_row, 0, 1, what="binary_dataset_128")
    ),
    "points of the next film in one split": Planted(CEPH, points_of(following, "train")),
    "points of other films in every split": Planted(
        CEPH, points_of(shuffled, "train", "valid", "test")
    ),
    "boxes of the next photograph": Planted(PILLS, boxes_of_the_next),
    "masks of the next photograph": Planted(MASKS, masks_of_others(1)),
    "masks of other sessions": Planted(MASKS, masks_of_others(7)),
}  # fmt: skip


def promised() -> dict[str, tuple[str, str]]:
    return promises.promised("Labels that are another's")


def test_every_fault_of_the_section_is_planted() -> None:
    assert set(promised()) == set(FAULTS)


@pytest.mark.parametrize("name", PHANTOMS)
def test_a_sound_set_agrees(name: str, sound: Any, tmp_path: Path) -> None:
    check = judged(name, sound(name), tmp_path)
    assert check["passed"], check["found"]
    assert check["found"].startswith("labels are seen in the pictures"), check["found"]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_promised_of_each_fault_is_seen(fault: str, sound: Any, tmp_path: Path) -> None:
    outcome, told = promised()[fault]
    planted = FAULTS[fault]
    spoilt = tmp_path / "spoilt"
    shutil.copytree(sound(planted.system), spoilt)
    planted.plant(spoilt)
    root = tmp_path / "root"
    root.mkdir()
    check = judged(planted.system, spoilt, root, planted.policy)
    assert told in check["found"], check["found"]
    assert check["passed"] == (outcome == "told"), check["found"]
    if outcome == "refused":
        assert f"-S {planted.system}.policy.agreement=tell" in check["mend"]
        assert "agreement" in (root / "said").read_text()
    page = (root / Layout(planted.system).labels_page).read_text()
    assert "agreement of pictures and labels" in page


def test_photographs_of_one_pill_are_not_asked_about_several(tmp_path: Path) -> None:
    """A validation part without combinations is an honest one: of 50 such sets 14 were stopped."""
    more = {"classes": 12, "sessions": 7, "angles": 2, "combinations": 4, "width": 64, "seed": 16}
    system, section = find_system(PILLS), section_of(PILLS)
    section["phantom"] |= more
    folder = tmp_path / "made"
    folder.mkdir()
    system.phantom(folder, system.params.model_validate(section).phantom)
    check = judged(PILLS, folder, tmp_path)
    assert check["passed"], check["found"]
    assert "subset train: not asked, the others have too few pictures" in check["found"]
