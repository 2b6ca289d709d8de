"""Cuts of photographs: exact, antialiased, black beyond the image; boxes as the frame has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from assay.learning.vision.geometry import Frame
from assay.systems.pills.learning.cuts import cut_boxes, stored_boxes


def blob(width: int, height: int, x: float, y: float, deviation: float) -> Any:
    """Return a photograph with one bright spot; (x, y) count from the outer edge."""
    across, down = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    spot = np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * deviation**2))
    return np.repeat((255 * spot)[..., None], 3, axis=2).round().astype(np.uint8)


def middle(image: Any) -> Any:
    """Return the centre of mass (x, y) from the outer edge."""
    weight = image[..., 0].astype(np.float64)
    down, across = np.indices(weight.shape) + 0.5
    return np.array([(weight * across).sum(), (weight * down).sum()]) / weight.sum()


@pytest.mark.parametrize("size", [24, 64, 200])
def test_a_cut_is_where_the_box_says(size: int) -> None:
    x, y = 61.3, 40.8
    box, padding = np.array([47.25, 31.5, 30.5, 20.0]), 0.1
    [cut] = cut_boxes(blob(120, 90, x, y, 2.5), box, size, padding)
    scale = size / (30.5 * 1.2)
    there = (np.array([x, y]) - (box[:2] + box[2:] / 2)) * scale + size / 2
    assert np.abs(middle(cut) - there).max() < 0.05


def test_a_cut_is_what_pillow_makes_of_the_same_box() -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 100, 3), dtype=np.uint8)
    left, top, side = 21.3, 17.8, 40.9
    [cut] = cut_boxes(image, [left, top, side, side], 24)
    box = (left, top, left + side, top + side)
    same = Image.fromarray(image).resize((24, 24), Image.Resampling.BILINEAR, box=box)
    # Pillow does not look past its box: the outermost px have less under their kernel.
    assert np.abs(cut.astype(int) - np.asarray(same))[2:-2, 2:-2].max() <= 1


def test_an_oblong_pill_keeps_its_aspect_and_lies_on_black() -> None:
    image = np.full((60, 100, 3), 200, np.uint8)
    [cut] = cut_boxes(image, [20, 20, 40, 10], 40)
    assert (cut[15:25] == 200).all()
    assert not cut[:15].any()
    assert not cut[25:].any()


def test_what_a_box_reaches_beyond_the_image_is_black() -> None:
    image = np.full((50, 50, 3), 100, np.uint8)
    [cut] = cut_boxes(image, [-10, 0, 20, 20], 20)
    assert not cut[:, :9].any()
    assert (cut[:, 11:] == 100).all()
    assert not cut_boxes(image, [200, 200, 10, 10], 8).any()


def long_side(image: Any) -> int:
    """Return how many px of the longer side are not black."""
    return int(max(image.any(axis=(1, 2)).sum(), image.any(axis=(0, 2)).sum()))


@pytest.mark.parametrize(("zoom", "sides"), [(1.0, [80, 80]), (0.5, [20, 40]), (0.0, [5, 20])])
def test_a_cut_tells_how_large_a_pill_is_unless_it_is_zoomed(zoom: float, sides: list[int]) -> None:
    image = np.full((300, 400, 3), 200, np.uint8)  # a cut reaches 0.25 of 400 px
    boxes = [[100.0, 100.0, 6.25, 5.0], [200.0, 100.0, 20.0, 25.0]]
    cuts = cut_boxes(image, boxes, 80, zoom=zoom)
    assert [long_side(cut) for cut in cuts] == pytest.approx(sides, abs=1)
    # The same photograph, stored at half its size, and one larger than the reach: it fills its cut.
    [half] = cut_boxes(image[::2, ::2], np.array(boxes[1:]) / 2, 80, zoom=zoom)
    assert long_side(half) == pytest.approx(sides[1], abs=1)
    [large] = cut_boxes(image, [100, 50, 200, 160], 80, zoom=zoom)
    assert long_side(large) == 80


def test_a_box_without_an_area_is_refused() -> None:
    with pytest.raises(ValueError, match="with an area"):
        cut_boxes(np.zeros((9, 9, 3), np.uint8), [1, 1, 0, 4], 8)


def test_stored_boxes_lie_where_the_frame_says() -> None:
    box = np.array([[10.0, 20.0, 30.0, 40.0]])
    [stored] = stored_boxes(box, np.array([480]), np.array([640]), 128)
    frame = Frame(480, 640, 128)  # which counts from the middle of the first pixel
    corners = np.array([[[10.0, 20.0], [40.0, 60.0]]]) - 0.5
    expected = frame.stored(corners)[0] + 0.5
    assert np.allclose([stored[:2], stored[:2] + stored[2:]], expected)
