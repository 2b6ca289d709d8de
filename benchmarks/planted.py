"""Copies planted among real pictures: eyes, lateral films, photographs of pills, changed in nine ways.

The sets are not the project's: `ASSAY_REAL_DATA` (default `../shared/data`) says where they lie. Of the
eyes one content of each is taken, for CP-AnemiC holds the same eye under other ids.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Pixels = npt.NDArray[np.uint8]
Pairs = list[tuple[int, int]]
EYES, FILMS, PILLS = 150, 24, 23
SEED = 7


def eyes(folder: Path) -> list[Pixels]:
    """Return the contents of CP-AnemiC, each once."""
    with (folder / "cp_anemic/folds.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    contents = {row["content_md5"]: row["image_path"] for row in reversed(rows)}
    return [_cut_out(folder / "cp_anemic" / contents[digest]) for digest in sorted(contents)]


def films(folder: Path) -> list[Pixels]:
    """Return lateral films of different people."""
    return [_opened(path) for path in sorted(folder.glob("hamedan_aariz/*/Cephalograms/*.jpg"))]


def pills(folder: Path) -> list[Pixels]:
    """Return photographs of pills, one of each source photograph."""
    found: dict[str, Path] = {}
    paths = {path.name: path for path in folder.glob("pushin_aihub/data/*/images/**/*.jpg")}
    for label in sorted(folder.glob("pushin_aihub/data/*/labels/**/*.json")):
        told = json.loads(label.read_text(encoding="utf-8"))["images"][0]
        if told["file_name"] in paths:
            found.setdefault(told["img_key"], paths[told["file_name"]])
    return [_opened(found[key]) for key in sorted(found)]


def one_each(images: list[Pixels], pairs: Pairs, count: int) -> list[Pixels]:
    """Return up to `count` images, one of each group that the pairs join, drawn at random."""
    edges = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    joined = coo_array((np.ones(edges.shape[1]), tuple(edges)), shape=(len(images),) * 2)
    _, group = connected_components(joined)
    order = np.random.default_rng(SEED).permutation(len(images))
    _, first = np.unique(group[order], return_index=True)
    return [images[row] for row in order[np.sort(first)[:count]]]


def changed(image: Pixels, way: int, random: np.random.Generator) -> Pixels:
    """Return a copy of an image, changed in one of the nine ways."""
    return np.ascontiguousarray(WAYS[list(WAYS)[way]](image, random))


def planted(images: list[Pixels]) -> list[Pixels]:
    """Return the images, and behind them the nine copies of the first, of the second, …."""
    random = np.random.default_rng(SEED)
    copies = [changed(image, way, random) for image in images for way in range(len(WAYS))]
    return [*images, *copies]


def worth(pairs: Iterable[tuple[int, int]], originals: int) -> tuple[dict[str, float], int, int]:
    """Return the share of copies joined to their original by way of change, pairs, and false ones.

    Args:
        pairs: of rows of a planted set.
        originals: of the set.
    """
    pairs = list(pairs)
    count = originals * (1 + len(WAYS))
    edges = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    of = np.concatenate([np.arange(originals), np.repeat(np.arange(originals), len(WAYS))])
    false = of[edges[:, 0]] != of[edges[:, 1]]
    true = edges[~false].T  # what a false pair joins is not found
    joined = coo_array((np.ones(true.shape[1]), tuple(true)), shape=(count, count))
    _, group = connected_components(joined, directed=False)
    hit = (group[originals:] == group[of[originals:]]).reshape(originals, len(WAYS))
    return dict(zip(WAYS, hit.mean(axis=0).tolist(), strict=True)), len(pairs), int(false.sum())


def _encoded(image: Pixels, quality: int) -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream).convert("RGB"))


def _turned(image: Pixels, degrees: float) -> Pixels:
    return np.asarray(Image.fromarray(image).rotate(degrees, Image.Resampling.BICUBIC, expand=True))


def _cropped(image: Pixels, random: np.random.Generator) -> Pixels:
    """Cut to 80 % of each side, somewhere."""
    height, width = (max(1, round(side * 0.8)) for side in image.shape[:2])
    top, left = (
        int(random.integers(0, whole - kept + 1))
        for whole, kept in zip(image.shape[:2], (height, width), strict=True)
    )
    return image[top : top + height, left : left + width]


def _halved(image: Pixels) -> Pixels:
    size = max(1, image.shape[1] // 2), max(1, image.shape[0] // 2)
    small = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8)


Way = Callable[[Pixels, np.random.Generator], Pixels]
WAYS: dict[str, Way] = {
    "flip": lambda image, _: image[:, ::-1],
    "quarter turn": lambda image, _: np.rot90(image),
    "turn by 10–15°": lambda image, random: _turned(image, float(random.uniform(10, 15))),
    "crop to 80 %": _cropped,
    "JPEG": lambda image, random: _encoded(image, int(random.integers(50, 71))),
    "half size": lambda image, _: _halved(image),
    "upside down, JPEG, half": lambda image, _: _encoded(_halved(image[::-1]), 60),
    "turned, cropped, half": lambda image, random: _halved(_cropped(_turned(image, 12), random)),
    "mirrored, cropped, JPEG": lambda image, rng: _encoded(_cropped(image[:, ::-1], rng), 60),
}


def _opened(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _cut_out(path: Path) -> Pixels:
    with Image.open(path) as image:
        cut = image.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", cut.size, "black"), cut))[..., :3]
