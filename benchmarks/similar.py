"""Near-identical images: the whole search as sets grow, and copies planted among real pictures.

    python benchmarks/similar.py [images=300,1000] [real=../shared/data] [src=/path/to/older/src …]

Textures, of which one in ten stands again, mirrored, cropped to 85 % and re-encoded: CPU seconds of this
build first and again (features kept), of an older build (`src`, in a process of its own, on the same
images), of a peer (imagehash, one view, every pair: what finds none of these copies), of the naive way
(every pair of images compared, reckoned from some) and of the limit (decoding each image once). With
recall and false pairs. Then the same builds on eyes, films and pills, each changed in nine ways. CPU time
of all processes throughout, and the peak of memory of each.

The textures stand for sets whose pictures look alike, not for photographs: all have one palette, one
grain and nothing at large, so that colour hardly tells them apart, and local features must.
"""

from __future__ import annotations

import importlib
import inspect
import io
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter, ImageOps

import planted
from assay.similar.find import find_similar

NEAREST, NULL, EACH, SOME = 10, 400, 10, 200
Pixels = npt.NDArray[np.uint8]
Pairs = set[tuple[int, int]]


def cpu() -> float:
    """Return the CPU seconds of this process and of those that it has waited for."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)


def texture(seed: int) -> Image.Image:
    """Return a smooth random picture, 160 px."""
    noise = np.random.default_rng(seed).integers(0, 255, (20, 20, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((160, 160), Image.Resampling.BICUBIC)


def picture(row: int, originals: int) -> Pixels:
    """Return an original, or, beyond them, the changed copy of one."""
    if row < originals:
        return np.asarray(texture(row))
    changed = ImageOps.mirror(texture((row - originals) * EACH)).crop((12, 12, 148, 148))
    stream = io.BytesIO()
    changed.filter(ImageFilter.GaussianBlur(0.5)).save(stream, "JPEG", quality=60)
    return np.asarray(Image.open(stream).convert("RGB"))


def searched(
    count: int, open_image: Callable[[int], Pixels], root: Path, nearest: int
) -> tuple[Pairs, float]:
    """Return what the build in `sys.path` finds among images of as many groups, and its CPU seconds."""
    start = cpu()
    how: dict[str, Any] = {"nearest": nearest, "null": NULL, "seed": 1}
    if "root" in inspect.signature(find_similar).parameters:
        names = [str(row) for row in range(count)]
        found = find_similar(names, np.arange(count), open_image, root, **how)
    else:  # builds that took thumbnails and hashes, which their ingest had made
        perceptual_hash = importlib.import_module("assay.manifest.hashes").perceptual_hash
        older: Any = find_similar
        small = [
            np.asarray(Image.fromarray(open_image(row)).resize((64, 64))) for row in range(count)
        ]
        hashes = perceptual_hash(np.stack(small))
        start = cpu()
        found = older(small, hashes, np.arange(count), open_image, radius=6, **how)
    return set(found.pairs.select("a", "b").iter_rows()), cpu() - start


def child(order: str) -> None:
    """Search what an order says, as often as it says, and print what came of it as a line of JSON."""
    asked = json.loads(order)
    if asked["images"]:
        open_image, count = partial(picture, originals=asked["originals"]), asked["images"]
    else:
        images = pickle.loads(Path(asked["pictures"]).read_bytes())
        open_image, count = images.__getitem__, len(images)
    seconds = []
    with tempfile.TemporaryDirectory() as root:
        for _ in range(asked["times"]):
            pairs, spent = searched(count, open_image, Path(root), asked["nearest"])
            seconds.append(spent)
    memory = [
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    print(
        json.dumps({"seconds": seconds, "pairs": sorted(pairs), "MB": [kb >> 10 for kb in memory]})
    )


def by_build(src: str, times: int, **asked: Any) -> dict[str, Any]:
    """Return what a build, by its `src`, says of an order."""
    order = json.dumps({"images": 0, "originals": 0, "nearest": NEAREST, "times": times, **asked})
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, __file__, "child", order], check=True, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": f"{src}:{here}"},
    )  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def textures(count: int, builds: Sequence[str]) -> None:
    """Measure the whole search in `count` textures."""
    originals = count * EACH // (EACH + 1)
    true = {((row - originals) * EACH, row) for row in range(originals, count)}
    limit, peer, naive = baselines(count, originals, true)
    print(f"{count} textures, {len(true)} copies", flush=True)
    first, again = [], 0.0
    for src in builds:
        mine = src == builds[0]
        told = by_build(src, 2 if mine else 1, images=count, originals=originals)
        pairs = set(map(tuple, told["pairs"]))
        for spent, when in zip(told["seconds"], ("first", "again"), strict=False):
            name = f"Assay, {when}" if mine else src
            _line(name, spent, count, told["MB"], pairs, true)
        first.append(told["seconds"][0])
        again = again or told["seconds"][-1]
    _line("peer: imagehash, every pair", peer[0], count, [], peer[1], true)
    print(f"  {'naive: every pair compared':34s} {naive:9.0f} s CPU, reckoned from {SOME} pairs")
    print(f"  {'limit: opening each once':34s} {limit:9.1f} s CPU")
    for src, spent in zip(builds[1:], first[1:], strict=True):
        print(
            f"  of {src}: first {first[0] / spent:.3f} ×, again {again / spent:.4f} ×", flush=True
        )


def _line(
    name: str, spent: float, count: int, memory: Sequence[int], pairs: Pairs, true: Pairs
) -> None:
    held = f", {' + '.join(map(str, memory))} MB" if memory else ""
    print(
        f"  {name:34s} {spent:9.1f} s CPU, {1e3 * spent / count:7.2f} ms an image{held};"
        f" recall {len(pairs & true) / len(true):.3f}, {len(pairs - true)} false of {len(pairs)}",
        flush=True,
    )


def baselines(count: int, originals: int, true: Pairs) -> tuple[float, tuple[float, Pairs], float]:
    """Return the seconds of opening all, of the peer and its pairs, and of comparing every pair."""
    from assay.similar.features import extract
    from assay.similar.geometry import match_images

    rows = min(count, 1000)  # every pair of more would take the peer hours
    start = cpu()
    for row in np.linspace(0, count - 1, rows).astype(int):
        picture(int(row), originals)
    limit = (cpu() - start) * count / rows
    hashes = [imagehash.phash(Image.fromarray(picture(row, originals))) for row in range(rows)]
    start = cpu()
    close = {(a, b) for b in range(rows) for a in range(b) if hashes[a] - hashes[b] <= 6}
    peer = (cpu() - start) * (count / rows) ** 2
    some = [extract(picture(row, originals)) for row in range(20)]
    start = cpu()
    for number in range(SOME):
        match_images(some[number % 20], some[(7 * number + 1) % 20])
    return limit, (peer, close & true), (cpu() - start) / SOME * count**2 / 2


def real(folder: Path, builds: Sequence[str]) -> None:
    """Plant copies among real pictures, and tell what each build finds of them."""
    with tempfile.TemporaryDirectory() as work:
        file = Path(work) / "pictures.pickle"
        eyes = planted.eyes(folder)
        file.write_bytes(pickle.dumps(eyes))
        same = by_build(builds[0], 1, pictures=str(file), nearest=15)
        print(
            f"eyes: {len(eyes)} contents, {len(same['pairs'])} pairs, {same['seconds'][0]:.0f} s CPU"
        )
        sets = {
            "eyes": planted.one_each(eyes, same["pairs"], planted.EYES),
            "films": planted.films(folder)[: planted.FILMS],
            "pills": planted.pills(folder)[: planted.PILLS],
        }
        joined: dict[str, list[float]] = {src: [] for src in builds}
        for name, images in sets.items():
            file.write_bytes(pickle.dumps(planted.planted(images)))
            for src in builds:
                told = by_build(src, 1, pictures=str(file), nearest=15)
                ways, pairs, false = planted.worth(map(tuple, told["pairs"]), len(images))
                joined[src] += [len(images) * share for share in ways.values()]
                print(
                    f"{name}: {len(images)}, changed in nine ways: recall"
                    f" {sum(ways.values()) / len(ways):.3f}, {false} false of {pairs} pairs,"
                    f" {told['seconds'][0]:.0f} s CPU · {'Assay' if src == builds[0] else src}"
                )
                print(
                    "   " + " · ".join(f"{way} {share:.2f}" for way, share in ways.items()),
                    flush=True,
                )
    total = len(planted.WAYS) * sum(map(len, sets.values()))
    for src, found in joined.items():
        name = "Assay" if src == builds[0] else src
        print(f"all {total} copies: {sum(found) / total:.3f} · {name}")


def main() -> None:
    """Measure what is asked for."""
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2])
        return
    asked = [argument.split("=", 1) for argument in sys.argv[1:]]
    one = dict(asked)
    here = str(Path(inspect.getfile(find_similar)).parents[2])
    builds = [here, *(value for name, value in asked if name == "src")]
    for count in one.get("images", "300,1000").split(","):
        if count:
            textures(int(count), builds)
    if "real" in one:
        real(Path(one["real"]), builds)


if __name__ == "__main__":
    main()
