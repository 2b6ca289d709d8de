"""Near-duplicates of real sets: eyes that stand under several ids, films that are all different."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from assay.similar.find import SimilarPairs, find_similar

pytestmark = pytest.mark.real
Pixels = npt.NDArray[np.uint8]

BAND = (265, 295)  # groups
KNOWN = [  # seen to be one eye: mirrored, cut otherwise, cut otherwise
    ("Anemic/Image_007.png", "Anemic/Image_163.png"),
    ("Anemic/Image_597.png", "Anemic/Image_599.png"),
    ("Anemic/Image_077.png", "Anemic/Image_582.png"),
]


def folder(real_data: Path, name: str) -> Path:
    if not (real_data / name).is_dir():
        pytest.skip(f"no {name} in {real_data}")
    return real_data / name


def opened(path: Path) -> Pixels:
    with Image.open(path) as image:
        cut = image.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", cut.size, "black"), cut))[..., :3]


def found_among(images: list[Pixels], nearest: int) -> SimilarPairs:
    names = [str(row) for row in range(len(images))]
    with tempfile.TemporaryDirectory() as root:
        return find_similar(
            names, np.arange(len(images)), images.__getitem__, Path(root),
            nearest=nearest, null=300, seed=0,
        )  # fmt: skip


def test_eyes_under_several_ids_are_found(real_data: Path) -> None:
    """498 contents show about 285 eyes; matched by eye, the largest group has twelve cuts."""
    source = folder(real_data, "cp_anemic")
    with (source / "folds.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    contents: dict[str, str] = {}
    for row in rows:
        contents.setdefault(row["content_md5"], row["image_path"])
    places = list(contents.values())
    found = found_among([opened(source / place) for place in places], nearest=15).pairs
    edges = (np.ones(len(found)), (found["a"].to_numpy(), found["b"].to_numpy()))
    groups, member = connected_components(coo_array(edges, shape=(len(places),) * 2))
    assert BAND[0] <= groups <= BAND[1]
    assert np.bincount(member).max() <= 20
    pairs = {(places[a], places[b]) for a, b in found.select("a", "b").rows()}
    for pair in KNOWN:
        assert pair in pairs or pair[::-1] in pairs


def test_films_of_different_people_are_no_pairs(real_data: Path) -> None:
    films = sorted(folder(real_data, "hamedan_aariz").glob("*/Cephalograms/*.jpg"))
    assert len(films) == 60
    found = found_among([opened(film) for film in films], nearest=len(films))
    assert found.candidates == 60 * 59 // 2
    assert found.pairs.is_empty()
