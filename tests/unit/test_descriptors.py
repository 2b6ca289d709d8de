"""Descriptors against what they are by definition, on pictures whose answer is known."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests.bad_pictures import picture, saved

from assay.manifest.descriptors import NAMES, PIXELS, describe, of_files
from assay.manifest.index import index_images
from assay.manifest.source import Source
from assay.manifest.store import ImageStore

SIDE = 18  # every pixel is looked at


def noise(count: int = 3, side: int = SIDE, least: int = 1) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.integers(least, 256, (count, side, side, 3), dtype=np.uint8)


def grey(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(float) @ np.array([77, 150, 29]) / 256


def test_tones_are_as_defined() -> None:
    pixels = noise()
    found, y = describe(pixels), grey(pixels)
    red, green, blue = np.moveaxis(pixels.reshape(3, -1, 3).astype(float), 2, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    colourfulness = np.hypot(rg.std(1), yb.std(1)) + 0.3 * np.hypot(rg.mean(1), yb.mean(1))
    assert found["brightness"] == pytest.approx(y.mean((1, 2)), abs=1e-4)
    assert found["contrast"] == pytest.approx(y.std((1, 2)), abs=1e-4)
    assert found["green"] == pytest.approx(green.mean(1), abs=1e-4)
    assert found["colourfulness"] == pytest.approx(colourfulness, abs=1e-4)
    assert found["underexposed"] == pytest.approx((y < 16).mean((1, 2)), abs=1e-4)
    assert found["overexposed"] == pytest.approx((pixels.max(3) > 250).mean((1, 2)), abs=1e-4)
    assert found["filled"].tolist() == [1, 1, 1]


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    pixels = noise()
    y = grey(pixels)
    cross = y[:, :-2, 1:-1] + y[:, 2:, 1:-1] + y[:, 1:-1, :-2] + y[:, 1:-1, 2:]
    laplacian = cross - 4 * y[:, 1:-1, 1:-1]
    assert describe(pixels)["sharpness"] == pytest.approx(laplacian.var((1, 2)), rel=1e-6)


@pytest.mark.parametrize("sigma", [2, 5, 10])
def test_noise_is_the_sigma_that_was_laid_on_a_slope(sigma: int) -> None:
    slope = np.linspace(80, 160, 96)[None, :, None]
    grain = np.random.default_rng(1).normal(0, sigma, (40, 96, 96))
    pixels = np.clip(np.rint(slope + grain), 0, 255).astype(np.uint8)[..., None].repeat(3, axis=3)
    assert describe(pixels)["noise"].mean() == pytest.approx(sigma, rel=0.05)


def test_ground_counts_for_nothing_but_the_filled_share() -> None:
    """A crop on black is described as its visible part alone."""
    pixels = noise(1, SIDE // 2)
    framed = np.zeros((1, SIDE, SIDE // 2, 3), np.uint8)
    framed[:, : SIDE // 2] = pixels
    alone, found = describe(pixels), describe(framed)
    assert found["filled"] == 0.5
    same = set(PIXELS) - {"filled", "sharpness", "noise"}
    assert {name: found[name][0] for name in same} == {name: alone[name][0] for name in same}
    assert np.isnan(describe(np.zeros((1, 8, 8, 3), np.uint8))["brightness"]).all()


def test_images_are_described_alike_alone_and_among_others() -> None:
    pixels = noise(130, 96, least=0)
    whole = describe(pixels)
    for name in PIXELS:
        assert whole[name][99] == describe(pixels[99:100])[name][0]
    assert all(len(values) == 0 for values in describe(pixels[:0]).values())


@pytest.mark.parametrize("quality", [30, 50, 75, 90, 95])
def test_the_quality_of_a_jpeg_is_read_off_its_tables(quality: int) -> None:
    tables = Image.open(io.BytesIO(saved(picture(), "JPEG", quality=quality))).quantization
    found = of_files([3, 3], [2, 2], [sum(tables[0]), 0])
    assert found["jpeg_quality"][0] == pytest.approx(quality, abs=1)
    assert np.isnan(found["jpeg_quality"][1])


def test_a_manifest_keeps_them(tmp_path) -> None:
    (tmp_path / "a.jpg").write_bytes(saved(picture(), "JPEG", quality=80))
    (tmp_path / "b.png").write_bytes(saved(picture()))
    (tmp_path / "c.png").write_bytes(b"nothing")
    listing = pl.DataFrame({"uri": ["a.jpg", "b.png", "c.png"], "fault": [None] * 3})
    listing = listing.with_columns(pl.col("fault").cast(pl.String))
    store = ImageStore(tmp_path / "images", 16)
    table = index_images(listing, Source(".", tmp_path), store, 16, "pillow")
    found = table["descriptors"].struct.unnest()
    assert tuple(found.columns) == NAMES
    assert found["jpeg_quality"].to_list() == [80, None, None]
    assert found["aspect"].to_list() == [0.75, 0.75, None]
    assert found["brightness"][1] == describe(np.array(store.pixels()))["brightness"][1]
    assert found["brightness"][2] is None
