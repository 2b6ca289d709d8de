"""Near-duplicates: copies planted among strangers, over any number of cores, and what is kept of them."""

from __future__ import annotations

import io
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.sparse import csr_array
from tests.pairs_set import textured

from assay.similar.alike import COMMON, most_alike, word_weights
from assay.similar.colour import described, neighbours, standardised
from assay.similar.features import Features, extract
from assay.similar.find import SimilarPairs, find_similar
from assay.similar.geometry import match_images
from assay.similar.match import Match
from assay.similar.null import PairThreshold, null_pairs, rule

Pixels = npt.NDArray[np.uint8]


def smooth(seed: int, height: int, width: int, cells: int = 6) -> Pixels:
    coarse = np.random.default_rng(seed).integers(0, 256, (cells, cells, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def test_neighbours_are_of_other_groups() -> None:
    line = np.arange(6, dtype=np.float32)[:, None]
    groups = np.array([0, 0, 0, 1, 1, 2])
    assert neighbours(line, groups, 1).tolist() == [[0, 3], [1, 3], [2, 3], [4, 5]]


def test_mirrored_images_have_the_same_descriptors() -> None:
    image = textured(1)
    plain, mirrored = extract(image), extract(np.ascontiguousarray(image[:, ::-1]))
    one, two = (each.descriptors.astype(np.float64) for each in (plain, mirrored))
    cosines = (one @ two.T) / np.outer(np.linalg.norm(one, axis=1), np.linalg.norm(two, axis=1))
    # Not 1: the equalisation fills up its last tiles on the right, of either.
    assert np.median(cosines.max(axis=1)) > 0.97
    shared = np.isin(plain.words, mirrored.words).any(axis=1)
    assert shared.mean() > 0.5
    best = max(match_images(plain, mirrored), key=lambda match: match.inliers)
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


def found_among(
    images: list[Pixels],
    groups: list[int] | None = None,
    root: Path | None = None,
    workers: int = 1,
) -> SimilarPairs:
    images = [np.ascontiguousarray(image) for image in images]
    known = np.arange(len(images)) if groups is None else np.array(groups)
    names = [f"{row} {image.shape}" for row, image in enumerate(images)]
    with tempfile.TemporaryDirectory() as aside:
        return find_similar(
            names, known, images.__getitem__, root or Path(aside),
            nearest=8, null=60, seed=0, workers=workers,
        )  # fmt: skip


@pytest.fixture(scope="module")
def strangers() -> list[Pixels]:
    return [textured(seed) for seed in range(12)]


@pytest.fixture(scope="module")
def planted(strangers: list[Pixels]) -> SimilarPairs:
    """Row 12 + i is a copy of row i, each of another kind."""
    made = [copy(image) for image, copy in zip(strangers, COPIES.values(), strict=False)]
    return found_among(strangers + made)


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_found(planted: SimilarPairs, kind: str) -> None:
    row = list(COPIES).index(kind)
    [found] = planted.pairs.filter(a=row, b=12 + row).to_dicts()
    assert found["mirrored"] == (kind in {"flip", "mirrored, cropped, encoded"})
    expected = {"quarter turn": -90.0, "turn by 12": -12.0}.get(kind, 0.0)
    assert found["rotation"] == pytest.approx(expected, abs=2)


def test_strangers_are_not_found(planted: SimilarPairs) -> None:
    copies = [(row, 12 + row) for row in range(len(COPIES))]
    assert planted.pairs.select("a", "b").rows() == copies


def test_equal_input_gives_equal_pairs(planted: SimilarPairs, strangers: list[Pixels]) -> None:
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


def test_null_pairs_are_of_one_kind() -> None:
    """Nails and eyes differ most of all: without their kinds hardly a pair were of two eyes."""
    random = np.random.default_rng(0)
    kinds = np.repeat([0, 1], 20)
    colours = (random.normal(0, 1, (40, 3)) + 9 * kinds[:, None]).astype(np.float32)
    mixed = null_pairs(colours, np.arange(40), 100, seed=1)
    assert (kinds[mixed[:, 0]] != kinds[mixed[:, 1]]).mean() > 0.9
    pairs = null_pairs(colours, np.arange(40), 100, seed=1, kinds=kinds)
    assert len(pairs) == 100
    assert (kinds[pairs[:, 0]] == kinds[pairs[:, 1]]).all()
    assert 0.3 < kinds[pairs[:, 0]].mean() < 0.7


def test_copies_among_the_null_pairs_do_not_lift_the_rule() -> None:
    inliers, correlations = np.full(100, 4), np.full(100, 0.5)
    clean = rule(inliers, correlations)
    inliers[:4], correlations[:4] = 300, 1.0
    assert rule(inliers, correlations) == clean
    assert clean == PairThreshold(correlation=0.9, inliers=10, borne_out=0.75)


def match(inliers: int, correlation: float, overlap: float) -> Match:
    return Match(inliers, correlation, overlap, mirrored=False, rotation=0.0, scale=1.0)


JUDGED = [
    (match(10, 0.7, 0.1), True),
    (match(9, 0.7, 1.0), False),
    (match(10, 0.69, 1.0), False),
    (match(29, 0.351, 0.92), False),  # two phantom eyes, whose outlines agree
    (match(300, 0.1, 1.0), False),  # letters, which the pictures do not bear out
    (match(0, 0.95, 0.6), True),
    (match(0, 0.95, 0.3), False),  # a small piece of a smooth picture
]


@pytest.mark.parametrize(("found", "accepted"), JUDGED)
def test_the_rule_asks_for_inliers_or_for_correlation(found: Match, accepted: bool) -> None:
    assert rule(np.full(100, 4), np.full(100, 0.4)).accepts(found) == accepted


def as_words(features: list[Features]) -> list[npt.NDArray[np.int32]]:
    return [each.words.ravel() for each in features]


def test_words_propose_a_mirrored_crop_among_many_of_one_kind() -> None:
    """Grainy pictures of one palette: with 1024 words of whole descriptors one in four is proposed."""
    images = [smooth(seed, 90, 90, cells=15) for seed in range(100)]
    crops = [np.ascontiguousarray(image[8:-8, 8:-8][:, ::-1]) for image in images[:20]]
    words = word_weights(as_words([extract(image) for image in images + crops]))
    proposed = most_alike(words, np.arange(120), 3).tolist()
    assert sum([row, 100 + row] in proposed for row in range(20)) >= 17


def test_a_word_of_too_many_images_proposes_nothing() -> None:
    """Else the search would grow with the square of the set."""
    common, rare, other = (np.array(words, np.int32) for words in ([7], [7, 9], [8]))
    crowd = [common] * (COMMON - 1)
    few = word_weights([*crowd, common, other])
    assert len(most_alike(few, np.arange(COMMON + 1), 1)) >= COMMON / 2
    many = word_weights([*crowd, rare, rare, other])
    assert most_alike(many, np.arange(COMMON + 2), 5).tolist() == [[COMMON - 1, COMMON]]


def test_the_most_alike_are_of_other_groups_and_share_a_word() -> None:
    words = csr_array(np.array([[1, 0], [1, 0], [3, 4], [4, 3], [0, 0], [0, 5]], np.float32))
    groups = np.array([0, 0, 1, 2, 3, 4])
    assert most_alike(words, groups, 1).tolist() == [[0, 3], [1, 3], [2, 3], [2, 5]]
    assert len(most_alike(words, groups, 9)) == 7


def test_a_single_descriptor_is_a_word_too() -> None:
    some = extract(textured(0))
    one, none = (replace(some, words=some.words[:kept]) for kept in (1, 0))
    words = word_weights(as_words([one, none, one]))
    assert most_alike(words, np.arange(3), 2).tolist() == [[0, 2]]


@pytest.mark.parametrize("size", [64, 160])
def test_colour_finds_a_cut_out_that_was_encoded_on_its_dark_ground(size: int) -> None:
    outline = cv2.ellipse(np.zeros((60, 120), np.uint8), (60, 30), (55, 24), 0, 0, 360, 1, -1)
    images = [(smooth(seed, 60, 120) // 4 + 90) * outline[..., None] for seed in range(60)]
    both = images + [encoded(image[::2, ::2].astype(np.uint8), 50) for image in images]
    drawn = [np.asarray(Image.fromarray(image).resize((size, size))) for image in both]
    colours = standardised(np.stack([described(image) for image in drawn]))
    pairs = neighbours(colours, np.arange(120), 3).tolist()
    assert sum([row, 60 + row] in pairs for row in range(60)) >= 54


def test_colour_hardly_changes_under_a_flip() -> None:
    images = np.stack([textured(seed, 64, 64) for seed in range(10)])
    both = [described(image) for image in np.concatenate([images, images[:, :, ::-1]])]
    colours = standardised(np.stack(both))
    assert np.allclose(colours[:10], colours[10:], atol=1e-3)


def test_no_colours_are_standardised_too() -> None:
    assert standardised(np.empty((0, 21), np.float32)).shape == (0, 21)
