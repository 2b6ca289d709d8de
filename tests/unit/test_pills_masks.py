"""Masks: read, judged, letterboxed as their photographs are, carried to training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests.masks_set import MASKS, SIZE, made, manifest, rows_of

from assay.errors import SourceError
from assay.learning.vision.geometry import Frame
from assay.manifest.images import LETTERBOX, squared
from assay.manifest.index import BROKEN, OK
from assay.manifest.source import Source
from assay.systems.pills.data.mask import letterboxed, read_mask, to_png
from assay.systems.pills.data.phantom_masks import CLASSES, FAULTS
from assay.systems.pills.tasks.segmentation_masks import masks_of, names_of


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("masks") / "set")


@pytest.mark.parametrize(("width", "height"), [(61, 80), (97, 33), (50, 77)])
def test_a_mask_lies_where_its_photograph_does(width: int, height: int) -> None:
    """Each stored pixel has the class of the original pixel that the frame says it came from."""
    mask = np.random.default_rng(1).integers(0, 3, (height, width)).astype(np.uint8)
    stored = letterboxed(mask, SIZE)
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), axis=-1).reshape(1, -1, 2)
    spots = Frame(np.array([width]), np.array([height]), SIZE).original(grid.astype(float))[0]
    clear = (np.abs(spots % 1 - 0.5) > 1e-6).all(axis=1)  # not on the border of two pixels
    x, y = np.rint(spots).astype(int).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    expected = np.where(inside, mask[y.clip(0, height - 1), x.clip(0, width - 1)], 0)
    assert clear.sum() > SIZE * SIZE / 3
    assert np.array_equal(stored.ravel()[clear], expected[clear])


def test_a_stored_mask_and_a_stored_image_agree() -> None:
    mask = np.zeros((80, 61), np.uint8)
    mask[12:50, 20:41] = 1
    picture = Image.fromarray(mask * 255).convert("RGB")
    seen = np.asarray(squared(picture, SIZE, LETTERBOX))[..., 0] > 127
    assert (seen != (letterboxed(mask, SIZE) > 0)).mean() < 0.02
    shifted = np.roll(letterboxed(mask, SIZE), 2, axis=1) > 0
    assert (seen != shifted).mean() > 0.02


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("absent", "photograph without a mask"),
        ("imageless", "mask without a photograph"),
        ("resized", "mask: another size than its photograph: 64 x 83, photograph 64 x 84"),
        ("beyond", "mask: class 3 beyond 0–2"),
        ("truncated", "mask: damaged: "),
        ("deep", "mask: colour mode I;16, expected 8-bit grey or a palette"),
        ("coloured", "mask: colour mode RGB, expected 8-bit grey or a palette"),
        ("bare", "mask: all ground"),
        ("broken", "damaged: "),
    ],
)  # fmt: skip
def test_a_planted_fault_is_named(fault: str, reason: str, tmp_path: Path) -> None:
    table, _ = manifest(made(tmp_path / "set", **{fault: 1}), tmp_path)
    assert fault in FAULTS
    told = table.filter(pl.col("status") == BROKEN)["reason"].to_list()
    assert len(told) == 1
    assert told[0].startswith(reason)
    checks = {check.name: check for check in MASKS.checks(table)}
    assert checks["mask faults"].found.startswith("1 × ")
    assert table.filter(pl.col("status") != OK)["mask"].null_count() == 1


def test_a_sound_set_has_no_fault_and_every_class(sound: Path, tmp_path: Path) -> None:
    listing = MASKS.read(Source(str(sound), tmp_path))
    assert listing.group_kind == "session"
    assert listing.table["fault"].null_count() == len(listing.table) == 12
    table, _ = manifest(sound, tmp_path)
    found = {check.name: check.found for check in MASKS.checks(table)}
    assert "round on" in found["classes shown"]
    assert found["mask faults"] == "none"


def test_the_mask_reaches_training_through_the_manifest(sound: Path, tmp_path: Path) -> None:
    rows = rows_of(sound, tmp_path)
    some = rows.where(np.arange(len(rows)) % 2 == 1)
    masks = masks_of(some)
    assert masks.shape == (len(some), SIZE, SIZE)
    assert names_of(some) == CLASSES
    for mask, sample in zip(masks, some.columns["sample_id"], strict=True):
        path = sound / str(sample).replace("images/", "masks/")
        original = read_mask(path.read_bytes())
        assert isinstance(original, np.ndarray)
        assert np.array_equal(mask, letterboxed(original, SIZE))
        assert to_png(mask) == to_png(mask.copy())


def test_identical_images_under_two_masks_are_refused(tmp_path: Path) -> None:
    folder = made(tmp_path / "set")
    first, second = sorted((folder / "images").iterdir())[:2]
    second.write_bytes(first.read_bytes())
    mask = np.array(Image.open(folder / "masks" / first.name))
    Image.fromarray(mask[:, ::-1]).save(folder / "masks" / second.name)  # as much is covered
    table, _ = manifest(folder, tmp_path)
    checks = {check.name: check for check in MASKS.checks(table)}
    assert not checks["masks of identical images"].passed


def test_a_palettes_numbers_count_not_its_colours(tmp_path: Path) -> None:
    mask = np.array([[0, 1], [2, 0]], np.uint8)
    image = Image.fromarray(mask)
    image.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0])
    image.save(tmp_path / "mask.png")
    found = read_mask((tmp_path / "mask.png").read_bytes())
    assert isinstance(found, np.ndarray)
    assert np.array_equal(found, mask)


@pytest.mark.parametrize("told", ["{", '["ground"]', '["a", "a"]', '{"0": "ground"}', "[0, 1]"])
def test_a_list_of_classes_that_is_none_is_refused(told: str, tmp_path: Path) -> None:
    folder = made(tmp_path / "set")
    (folder / "classes.json").write_text(told)
    with pytest.raises(SourceError, match=r"classes\.json"):
        MASKS.read(Source(str(folder), tmp_path))


def test_without_a_list_there_is_ground_and_pill(tmp_path: Path) -> None:
    folder = made(tmp_path / "set")
    assert json.loads((folder / "classes.json").read_text()) == list(CLASSES)
    (folder / "classes.json").unlink()
    faults = MASKS.read(Source(str(folder), tmp_path)).table["fault"].drop_nulls().to_list()
    assert {fault.partition(";")[0] for fault in faults} == {"mask: class 2 beyond 0–1"}
