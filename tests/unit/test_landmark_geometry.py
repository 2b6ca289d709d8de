"""Films, stored squares and moves: there and back to 1e-3 px, and points go where their pixels go."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from assay.learning.determinism import reseed, set_determinism
from assay.learning.training_spec import Geometry
from assay.learning.transforms import normalise
from assay.learning.vision.appearance import Appearance
from assay.learning.vision.geometry import Frame, Warp

SIDE = st.integers(16, 4000)
SQUARE = st.sampled_from([64, 128, 224, 256, 509, 1024])
PLANNED: type[Geometry] = Warp  # what a plan asks of augmentation that moves points


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    set_determinism(1)


def spread(seed: int, count: int, size: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Return points (count, 29, 2) within a part of the square."""
    shares = np.random.default_rng(seed).uniform(low, high, (count, 29, 2))
    return torch.from_numpy((shares * size - 0.5).astype(np.float32))


def blobs(points: Tensor, size: int, sigma: float) -> Tensor:
    """Return uint8 images (b, size, size, 3), each with a blob at its point (b, 2)."""
    away = points[:, :, None] - torch.arange(size)
    light = torch.exp(-away.square() / (2 * sigma**2))
    images = 255 * light[:, 1, :, None] * light[:, 0, None, :]
    return images.round().to(torch.uint8)[..., None].repeat(1, 1, 1, 3)


def centres(images: Tensor) -> Tensor:
    """Return the centres of mass (b, 2) of uint8 images (b, h, w, 3)."""
    light = images[..., 0].double()
    axes = (light.sum(dim=1), light.sum(dim=2))
    return torch.stack(
        [(axis * torch.arange(axis.shape[1])).sum(1) / axis.sum(1) for axis in axes], dim=1
    )


# Frames


@given(st.lists(st.tuples(SIDE, SIDE, SIDE, SIDE), min_size=1, max_size=5), SQUARE, st.integers())
@settings(max_examples=200, deadline=None)
def test_a_film_and_its_square_are_each_others_inverse(
    films: list[tuple[int, int, int, int]], size: int, seed: int
) -> None:
    """Whole films and crops of them, many at once; what the crop shows lies within the square."""
    width, height, left, top = (np.array(each) for each in zip(*films, strict=True))
    frame = Frame(width, height, size, left, top)
    shares = np.random.default_rng(abs(seed)).uniform(0, 1, (len(films), 29, 2))
    extent, start = np.stack([width, height], -1), np.stack([left, top], -1)
    points = shares * extent[:, None] + start[:, None] - 0.5
    stored = frame.stored(points)
    assert np.abs(frame.original(stored) - points).max() < 1e-3
    assert np.abs(frame.original(stored.astype(np.float32)) - points).max() < 1e-3
    assert (stored >= -0.5 - 1e-6).all()
    assert (stored <= size - 0.5 + 1e-6).all()


def test_the_edges_of_a_film_lie_on_the_edges_of_the_square() -> None:
    """A film of 2000 × 1000 px in 500: quarter size, bars of 125 px above and below."""
    corners = np.array([[[-0.5, -0.5], [1999.5, 999.5], [0, 0]]])
    expected = [[[-0.5, 124.5], [499.5, 374.5], [-0.375, 124.625]]]
    assert np.allclose(Frame(2000, 1000, 500).stored(corners), expected)


def test_absent_points_stay_absent() -> None:
    points = np.array([[[np.nan, np.nan], [3.0, 4.0]]])
    frame = Frame(30, 40, 64)
    assert np.isnan(frame.original(frame.stored(points)))[0].tolist() == [[True] * 2, [False] * 2]


@pytest.mark.parametrize(
    ("width", "height", "size"), [(301, 400, 100), (640, 333, 128), (97, 97, 64)]
)
def test_a_stored_blob_lies_where_the_frame_says(width: int, height: int, size: int) -> None:
    """The film is letterboxed by Pillow: bars that are no whole pixels come from a fractional box."""
    side = max(width, height)
    spots = np.random.default_rng(1).uniform(0.3, 0.7, (6, 1, 2)) * [width, height]
    seen = []
    for x, y in spots[:, 0]:
        rows, columns = np.mgrid[:height, :width]
        light = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2 / (side / 25) ** 2)
        film = Image.fromarray(np.round(255 * light).astype(np.uint8))
        canvas = Image.new("L", (side + 2, side + 2))
        left, top = (side + 1 - width) // 2, (side + 1 - height) // 2
        canvas.paste(film, (left, top))
        box = (left - (side - width) / 2, top - (side - height) / 2)
        stored = canvas.resize(
            (size, size), Image.Resampling.BILINEAR, (*box, box[0] + side, box[1] + side)
        )
        seen.append(np.asarray(stored)[..., None].repeat(3, -1))
    found = centres(torch.from_numpy(np.stack(seen))).numpy()
    assert np.abs(found - Frame(width, height, size).stored(spots)[:, 0]).max() < 0.1


# Moves


@given(
    SQUARE, st.integers(0, 2**31), st.floats(0, 180), st.floats(0.3, 1), st.sampled_from([0, 0.02])
)
@settings(max_examples=60, deadline=None)
def test_a_move_and_its_inverse_change_nothing(
    size: int, seed: int, rotation: float, smallest: float, elastic: float
) -> None:
    reseed(seed)
    warp = Warp(size, rotation, (smallest, 2 - smallest), 0.03, elastic)
    points, moves = spread(seed, 3, size), warp.draw(3)
    moved = warp.points(points, moves)
    kept = ~moved.isnan().any(dim=2)
    assert (warp.back(moved, moves) - points)[kept].abs().max() < 1e-3
    # The other way round: every pixel of the moved image comes from one place, and goes back there.
    here = warp.points(warp.back(points, moves), moves)
    lost = here.isnan().any(dim=2)
    assert (here - points)[~lost].abs().max() < 1e-3
    assert lost.float().mean() < 0.01


@pytest.mark.parametrize("elastic", [0.0, 0.02])
@pytest.mark.parametrize("size", [64, 129, 256])
def test_points_go_where_their_pixels_go(size: int, elastic: float) -> None:
    """A blob is turned and shrunk with the image; its centre of mass arrives where its point does.

    The blob that is bent is small: bending draws the mass of a large one aside, which is no error.
    """
    reseed(5, size)
    warp = Warp(size, elastic=elastic)
    points, moves = spread(3, 32, size, 0.25, 0.75)[:, :1], warp.draw(32)
    images = warp.images(blobs(points[:, 0], size, 1.0 if elastic else size / 40), moves)
    apart = (centres(images) - warp.points(points, moves)[:, 0]).norm(dim=1)
    assert (warp.points(points, moves) - points).abs().max() > 2
    assert apart.max() < 0.1


def test_a_far_shift_is_as_long_for_pixels_as_for_points() -> None:
    """0.2 of 33 px: dividing by 32 instead of 33 somewhere would show as 0.2 px."""
    reseed(8)
    warp = Warp(33, rotation=0, scale=(1, 1), shift=0.2)
    points, moves = torch.full((16, 1, 2), 16.0), warp.draw(16)
    images = warp.images(blobs(points[:, 0], 33, 2.0), moves)
    assert (centres(images) - warp.points(points, moves)[:, 0]).abs().max() < 0.03


def test_a_bent_point_is_not_where_the_affine_move_alone_would_take_it() -> None:
    reseed(1)
    bent, points = Warp(128, elastic=0.02), spread(1, 4, 128, 0.3, 0.7)
    moves = bent.draw(4)
    stiff = type(moves)(moves.there, moves.back)
    assert (bent.points(points, moves) - bent.points(points, stiff)).norm(dim=2).max() > 1


def test_float_planes_move_as_stored_images_do() -> None:
    reseed(2)
    images = torch.randint(0, 256, (3, 40, 40, 3), dtype=torch.uint8)
    warp = Warp(40)
    moves = warp.draw(3)
    planes = warp.images(images.permute(0, 3, 1, 2).float(), moves).permute(0, 2, 3, 1)
    assert torch.equal(planes.round().to(torch.uint8), warp.images(images, moves))


def test_what_leaves_the_square_is_absent_and_what_stays_is_not() -> None:
    warp = Warp(100, rotation=0, scale=(1, 1), shift=0.03)
    reseed(4)
    moves = warp.draw(200)
    edge = torch.tensor([[[-0.5, 50.0], [50.0, 50.0], [math.nan, math.nan]]]).repeat(200, 1, 1)
    gone = warp.points(edge, moves).isnan()
    assert torch.equal(gone[:, 0, 0], moves.there[:, 0, 2] < 0)
    assert torch.equal(gone[..., 0], gone[..., 1])
    assert not gone[:, 1].any()
    assert gone[:, 2].all()


def test_moves_keep_within_their_bounds_and_reach_them() -> None:
    reseed(6)
    warp = Warp(200)
    there = warp.draw(5000).there
    scale = there[:, :, 0].norm(dim=1)
    angle = torch.atan2(there[:, 1, 0], there[:, 0, 0]).rad2deg()
    for drawn, low, high in ((scale, 0.95, 1.05), (angle, -10, 10), (there[:, :, 2], -6, 6)):
        assert low <= drawn.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < drawn.max() <= high


def test_equal_seeds_draw_equal_moves() -> None:
    warp, moved = Warp(64, elastic=0.01), []
    images = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    for seed in (1, 1, 2):
        reseed(seed)
        moved.append(warp.images(images, warp.draw(2)))
    assert torch.equal(moved[0], moved[1])
    assert not torch.equal(moved[0], moved[2])


@pytest.mark.parametrize("elastic", [0.021, -0.01])
def test_a_field_that_could_fold_is_refused(elastic: float) -> None:
    with pytest.raises(ValueError, match="elastic"):
        Warp(64, elastic=elastic).draw(1)


def test_images_of_another_size_are_refused() -> None:
    warp = Warp(64)
    with pytest.raises(ValueError, match="64 px"):
        warp.images(torch.zeros(1, 32, 32, 3, dtype=torch.uint8), warp.draw(1))


# Appearance


def test_films_differ_in_brightness_and_noise_in_training_alone() -> None:
    images = torch.full((64, 24, 24, 3), 100, dtype=torch.uint8)
    images[:, :6] = 0
    look = Appearance(brightness=0.1, noise=0.02)
    assert torch.equal(look(images, False), normalise(images))
    reseed(1)
    seen = look(images, True) * 0.225 * 255 + 0.406 * 255
    levels = seen[:, 2, 6:].mean(dim=(1, 2))
    assert 88 < levels.min() < 92
    assert 108 < levels.max() < 112
    assert 0.5 < seen[:, 2, 6:].std(dim=(1, 2)).median() < 5.1
    bars = Appearance(0.1, 0)(images, True)[:, :, :6]
    assert torch.equal(bars, normalise(images)[:, :, :6])
