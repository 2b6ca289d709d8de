"""The nail phantom: published layout, equal bytes, planted faults, and an Hb that is to be read."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, UnidentifiedImageError
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from assay.systems.hemoglobin.data.params import PeoplePhantom
from assay.systems.hemoglobin.data.phantom_nail import (
    TABLE,
    Person,
    draw_finger,
    draw_nail,
    write_nail_set,
)

Floats = npt.NDArray[np.float64]


def made(folder: Path, **values: int) -> list[dict[str, str]]:
    plain = {"people": 12, "size": 32, "seed": 3, "conflicts": 0, "broken": 0}
    folder.mkdir()
    write_nail_set(folder, PeoplePhantom(**{**plain, **values}))
    with (folder / TABLE).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def content(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def colours(path: Path) -> Floats:
    """Return quantiles of the logarithmic channels and of their ratios, of the middle and the whole."""
    linear = (np.asarray(Image.open(path), dtype=np.float64) / 255).clip(0.02) ** 2.2
    red, green, blue = np.moveaxis(np.log(linear), -1, 0)
    planes = np.stack([red, green, blue, red - green, green - blue])
    quarter = len(red) // 4
    middle = planes[:, quarter:-quarter, quarter:-quarter]
    shares = [0.05, 0.25, 0.5, 0.75, 0.95]
    return np.concatenate(
        [np.quantile(part, shares, axis=(1, 2)).ravel() for part in (middle, planes)]
    )


def test_the_layout_is_the_published_one(tmp_path: Path) -> None:
    rows = made(tmp_path / "set")
    assert list(rows[0]) == ["image_path", "hb_value", "patient_id"]
    assert len({row["patient_id"] for row in rows}) == len(rows) == 12
    for row in rows:
        with Image.open(tmp_path / "set" / row["image_path"]) as image:
            assert (image.mode, image.size) == ("RGB", (32, 32))
        assert 7 <= float(row["hb_value"]) <= 17


def test_equal_parameters_give_equal_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        made(tmp_path / name, seed=seed, conflicts=2, broken=1)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert content(tmp_path / "one") != content(tmp_path / "other")


def test_a_planted_conflict_is_one_photograph_with_two_values(tmp_path: Path) -> None:
    rows = made(tmp_path / "set", conflicts=2)
    assert len(rows) == 14
    files = content(tmp_path / "set")
    for first, copy in zip(rows[:2], rows[12:], strict=True):
        assert files[first["image_path"]] == files[copy["image_path"]]
        assert first["hb_value"] != copy["hb_value"]
        assert first["patient_id"] != copy["patient_id"]


def test_a_planted_broken_photograph_cannot_be_read(tmp_path: Path) -> None:
    rows = made(tmp_path / "set", broken=2)
    for number, row in enumerate(rows):
        path = tmp_path / "set" / row["image_path"]
        if number < 10:
            Image.open(path).load()
        else:
            with pytest.raises((OSError, UnidentifiedImageError)):
                Image.open(path).load()


def test_blood_reddens_the_bed_and_hardly_the_lunula_or_the_paper() -> None:
    """The same draw with Hb 8 and 16: only the tissue's colour moves, most where blood is."""

    def ratio(hb: float) -> Floats:
        person = Person(hb=hb, blood_path=0.0045, melanin=0.3, lunula=0.7)
        image = draw_nail(person, 96, np.random.default_rng(5))
        linear = (np.asarray(image, dtype=np.float64) / 255).clip(0.02) ** 2.2
        return np.log(linear[..., 0] / linear[..., 1])

    change = ratio(16) - ratio(8)
    person = Person(hb=12, blood_path=0.0045, melanin=0.3, lunula=0.7)
    finger = draw_finger(96, np.random.default_rng(5))
    moon = finger.lunula(person.lunula) < 0.7
    bed = (finger.nail(0.3) < 0.9) & (finger.lunula(person.lunula) > 1.4)
    paper = finger.finger() > 1.2
    assert np.median(change[bed]) > 0.25
    assert np.median(change[moon]) < 0.6 * np.median(change[bed])
    assert abs(np.median(change[paper])) < 0.01


def test_hb_is_to_be_read_from_colour(tmp_path: Path) -> None:
    """Trees on colours reach R² > 0.5, the mean has none, and shuffled labels teach nothing."""
    rows = made(tmp_path / "set", people=200, size=64, seed=42)
    features = np.array([colours(tmp_path / "set" / row["image_path"]) for row in rows])
    labels = np.array([float(row["hb_value"]) for row in rows])
    people = [row["patient_id"] for row in rows]
    trees = ExtraTreesRegressor(200, min_samples_leaf=2, random_state=0)

    def score(model: object, target: Floats) -> float:
        folds = GroupKFold(5)
        return float(
            r2_score(target, cross_val_predict(model, features, target, groups=people, cv=folds))
        )

    assert score(trees, labels) > 0.5
    assert score(DummyRegressor(), labels) <= 0
    assert score(trees, np.random.default_rng(1).permutation(labels)) < 0.1
