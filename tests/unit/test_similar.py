"""Near-duplicates: the hash's views, the exact search, and copies planted among strangers."""

from __future__ import annotations

import io
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.sparse import csr_array

from assay.manifest.hashes import Hashes, perceptual_hash, views
from assay.similar.colour import colour_descriptors, neighbours
from assay.similar.features import MIRROR, Match, compare, extract
from assay.similar.find import Similar, find_similar
from assay.similar.null import Rule, null_pairs, rule
from assay.similar.search import near_hashes
from assay.similar.words import most_alike, word_weights

Pixels = npt.NDArray[np.uint8]


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


def smooth(seed: int, height: int, width: int, cells: int = 6) -> Pixels:
    coarse = np.random.default_rng(seed).integers(0, 256, (cells, cells, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def eight(images: Pixels) -> list[Pixels]:
    return [
        seen
        for turned in (images, images.transpose(0, 2, 1, 3))
        for seen in (turned, turned[:, :, ::-1], turned[:, ::-1], turned[:, ::-1, ::-1])
    ]


@pytest.mark.parametrize(("height", "width"), [(64, 64), (50, 37), (20, 20)])
def test_the_hash_of_every_view_follows_from_the_hash(height: int, width: int) -> None:
    images = np.stack([smooth(seed, height, width) for seed in range(40)])
    found = views(perceptual_hash(images))
    for place, seen in enumerate(eight(images)):
        assert (perceptual_hash(seen) == found[:, place]).all()
    assert len(np.unique(found)) == found.size


def test_a_constant_image_has_no_hash_and_harms_nothing() -> None:
    flat = np.stack([np.full((30, 40, 3), level, np.uint8) for level in (0, 77, 255)])
    assert (perceptual_hash(flat) == 0).all()
    assert perceptual_hash(flat[:0]).shape == (0,)


def brute(hashes: Hashes, radius: int) -> npt.NDArray[np.int64]:
    turned = views(hashes)
    bits = np.bitwise_count(turned[:, None, :] ^ hashes[None, :, None]).min(axis=2)
    return np.argwhere(np.triu(bits <= radius, 1))


def strewn(hashes: Hashes, bits: int, random: np.random.Generator) -> Hashes:
    flips = np.uint64(1) << random.integers(0, 64, (bits, len(hashes)), dtype=np.uint64)
    return hashes ^ np.bitwise_xor.reduce(flips, axis=0)


def crowd(kind: str) -> Hashes:
    random = np.random.default_rng(3)
    wide = random.integers(0, 2**64, 250, dtype=np.uint64)
    if kind == "planted":
        copies = [views(strewn(wide, bits, random))[:, bits % 8] for bits in (1, 5, 6, 7, 9)]
        return np.concatenate([wide, *copies])
    if kind == "skewed":
        return strewn(np.full(900, 0xF0F0, np.uint64), 5, random)
    return np.concatenate([np.repeat(wide[:3], 150), views(wide[:3]).ravel(), wide])


@pytest.mark.parametrize("radius", [0, 2, 6, 7, 10])
@pytest.mark.parametrize("kind", ["planted", "skewed", "repeated"])
def test_the_search_finds_what_brute_force_finds(kind: str, radius: int) -> None:
    hashes = crowd(kind)
    expected = brute(hashes, radius)
    assert len(expected) > 0 or (kind, radius) == ("planted", 0)
    assert np.array_equal(near_hashes(hashes, radius), expected)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=12), st.integers(0, 11))
@settings(max_examples=50, deadline=None)
def test_the_search_holds_for_any_hashes(values: list[int], radius: int) -> None:
    hashes = np.array(values, dtype=np.uint64)
    assert np.array_equal(near_hashes(hashes, radius), brute(hashes, radius))


def test_neighbours_are_of_other_groups() -> None:
    line = np.arange(6, dtype=np.float32)[:, None]
    groups = np.array([0, 0, 0, 1, 1, 2])
    assert neighbours(line, groups, 1).tolist() == [[0, 3], [1, 3], [2, 3], [4, 5]]


def test_mirrored_descriptors_are_those_of_the_mirrored_image() -> None:
    image = textured(1)
    plain, mirrored = extract(image), extract(np.ascontiguousarray(image[:, ::-1]))
    one = plain.descriptors.astype(np.float64)[:, MIRROR]
    two = mirrored.descriptors.astype(np.float64)
    cosines = (one @ two.T) / np.outer(np.linalg.norm(one, axis=1), np.linalg.norm(two, axis=1))
    assert np.median(cosines.max(axis=1)) > 0.99
    best = max(compare(plain, mirrored), key=lambda match: match.inliers)
    assert best.mirrored
    assert best.inliers > 50


def encoded(image: Pixels, quality: int) -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def turned(image: Pixels, degrees: float) -> Pixels:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(image, matrix, (width, height)).astype(np.uint8)


def halved(image: Pixels) -> Pixels:
    size = image.shape[1] // 2, image.shape[0] // 2
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


COPIES = {
    "flip": lambda image: image[:, ::-1],
    "quarter turn": np.rot90,
    "turn by 12": lambda image: turned(image, 12),
    "crop to 80 %": lambda image: image[20:164, 30:222],
    "encoded": lambda image: encoded(image, 50),
    "half size": halved,
    "mirrored, cropped, encoded": lambda image: encoded(image[20:164, 30:222][:, ::-1].copy(), 60),
}


def found_among(images: list[Pixels], groups: list[int] | None = None) -> Similar:
    images = [np.ascontiguousarray(image) for image in images]
    thumbnails = np.stack([np.asarray(Image.fromarray(image).resize((64, 64))) for image in images])
    known = np.arange(len(images)) if groups is None else np.array(groups)
    return find_similar(
        thumbnails, perceptual_hash(thumbnails), known, images.__getitem__,
        radius=6, nearest=8, null=60, seed=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def strangers() -> list[Pixels]:
    return [textured(seed) for seed in range(12)]


@pytest.fixture(scope="module")
def planted(strangers: list[Pixels]) -> Similar:
    """Row 12 + i is a copy of row i, each of another kind."""
    made = [copy(image) for image, copy in zip(strangers, COPIES.values(), strict=False)]
    return found_among(strangers + made)


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_found(planted: Similar, kind: str) -> None:
    row = list(COPIES).index(kind)
    [found] = planted.pairs.filter(a=row, b=12 + row).to_dicts()
    assert found["mirrored"] == (kind in {"flip", "mirrored, cropped, encoded"})
    expected = {"quarter turn": -90.0, "turn by 12": -12.0}.get(kind, 0.0)
    assert found["rotation"] == pytest.approx(expected, abs=2)


def test_strangers_are_not_found(planted: Similar) -> None:
    copies = [(row, 12 + row) for row in range(len(COPIES))]
    assert planted.pairs.select("a", "b").rows() == copies


def test_equal_input_gives_equal_pairs(planted: Similar, strangers: list[Pixels]) -> None:
    made = [copy(image) for image, copy in zip(strangers, COPIES.values(), strict=False)]
    again = found_among(strangers + made)
    assert (again.rule, again.pairs.rows()) == (planted.rule, planted.pairs.rows())


def test_pairs_within_a_group_are_left_out(strangers: list[Pixels]) -> None:
    found = found_among([*strangers, *strangers[:2]], [*range(12), 0, 12])
    assert found.pairs.select("a", "b").rows() == [(1, 13)]


def test_featureless_images_harm_nothing(strangers: list[Pixels]) -> None:
    blank = [np.full((50, 80, 3), level, np.uint8) for level in (0, 0, 128, 128, 255)]
    single = [np.zeros((1, 1, 3), np.uint8), np.full((300, 2, 3), 90, np.uint8)]
    assert found_among([*strangers, *blank, *single]).pairs.is_empty()


@pytest.mark.parametrize("count", [1, 2])
def test_a_set_of_few_images_is_searched(count: int) -> None:
    found = found_among([textured(0)] * count)
    assert found.pairs.select("a", "b").rows() == [(0, 1)][: count - 1]
    assert found.opened == (0 if count == 1 else 2)


def test_a_set_of_one_group_is_not_opened() -> None:
    found = found_among([textured(0)] * 3, [5, 5, 5])
    assert found.opened == found.candidates == len(found.pairs) == 0


def test_the_same_letters_on_other_pictures_are_no_copy() -> None:
    images = [textured(seed, 400, 400) for seed in range(20, 32)]
    for image in images:
        cv2.putText(image, "R 12:30", (8, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
    assert found_among(images).pairs.is_empty()


def test_null_pairs_are_of_different_groups_and_unlike() -> None:
    random = np.random.default_rng(0)
    colours = random.normal(0, 1, (40, 3)).astype(np.float32)
    groups = np.repeat(np.arange(20), 2)
    pairs = null_pairs(colours, groups, 100, seed=1)
    assert len(pairs) == 100 == len(np.unique(pairs, axis=0))
    assert (groups[pairs[:, 0]] != groups[pairs[:, 1]]).all()
    apart = np.linalg.norm(colours[pairs[:, 0]] - colours[pairs[:, 1]], axis=1)
    assert apart.min() > 1.5


def test_copies_among_the_null_pairs_do_not_lift_the_rule() -> None:
    inliers, correlations = np.full(100, 4), np.full(100, 0.5)
    clean = rule(inliers, correlations)
    inliers[:4], correlations[:4] = 300, 1.0
    assert rule(inliers, correlations) == clean
    assert clean == Rule(correlation=0.9, inliers=12, borne_out=0.5)


def match(inliers: int, correlation: float, overlap: float) -> Match:
    return Match(inliers, correlation, overlap, mirrored=False, rotation=0.0, scale=1.0)


JUDGED = [
    (match(12, 0.5, 0.1), True),
    (match(11, 0.5, 1.0), False),
    (match(300, 0.1, 1.0), False),  # letters, which the pictures do not bear out
    (match(0, 0.95, 0.6), True),
    (match(0, 0.95, 0.3), False),  # a small piece of a smooth picture
]


@pytest.mark.parametrize(("found", "accepted"), JUDGED)
def test_the_rule_asks_for_inliers_or_for_correlation(found: Match, accepted: bool) -> None:
    assert rule(np.full(100, 4), np.full(100, 0.4)).accepts(found) == accepted


def test_words_propose_a_mirrored_crop_among_many_of_one_kind() -> None:
    """Grainy pictures of one palette: with 1024 words of whole descriptors one in four is proposed."""
    images = [smooth(seed, 90, 90, cells=15) for seed in range(100)]
    crops = [np.ascontiguousarray(image[8:-8, 8:-8][:, ::-1]) for image in images[:20]]
    words = word_weights([extract(image) for image in images + crops], seed=0)
    proposed = most_alike(words, np.arange(120), 3).tolist()
    assert sum([row, 100 + row] in proposed for row in range(20)) >= 17


def test_the_most_alike_are_of_other_groups_and_share_a_word() -> None:
    words = csr_array(np.array([[1, 0], [1, 0], [3, 4], [4, 3], [0, 0], [0, 5]], np.float32))
    groups = np.array([0, 0, 1, 2, 3, 4])
    assert most_alike(words, groups, 1).tolist() == [[0, 3], [1, 3], [2, 3], [2, 5]]
    assert len(most_alike(words, groups, 9)) == 7


def test_a_single_descriptor_is_a_word_too() -> None:
    some = extract(textured(0))
    one, none = (replace(some, descriptors=some.descriptors[:kept]) for kept in (1, 0))
    assert most_alike(word_weights([one, none, one], 0), np.arange(3), 2).tolist() == [[0, 2]]


@pytest.mark.parametrize("size", [64, 160])
def test_colour_finds_a_cut_out_that_was_encoded_on_its_dark_ground(size: int) -> None:
    outline = cv2.ellipse(np.zeros((60, 120), np.uint8), (60, 30), (55, 24), 0, 0, 360, 1, -1)
    images = [(smooth(seed, 60, 120) // 4 + 90) * outline[..., None] for seed in range(60)]
    both = images + [encoded(image[::2, ::2].astype(np.uint8), 50) for image in images]
    small = [np.asarray(Image.fromarray(image).resize((size, size))) for image in both]
    pairs = neighbours(colour_descriptors(small), np.arange(120), 3).tolist()
    assert sum([row, 60 + row] in pairs for row in range(60)) >= 54


def test_colour_hardly_changes_under_a_flip() -> None:
    images = np.stack([textured(seed, 64, 64) for seed in range(10)])
    both = colour_descriptors(np.concatenate([images, images[:, :, ::-1]]))
    assert np.allclose(both[:10], both[10:], atol=1e-3)
