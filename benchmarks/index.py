"""Index: what a first and a second look at a set of images cost.

    python benchmarks/index.py [images=2000]

Naive: md5 of every file and a PIL decode to 64 px, every time. Peer: the same, hashed and decoded by
`imagehash` (perceptual hash alone, no stored pixels). Assay: first index (stamp, digest, hash, stored
pixels), and the same tree again, unchanged. Limit: one `stat` a file. CPU seconds of this process.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import imagehash
import numpy as np
import polars as pl
from PIL import Image

from assay.manifest.index import index_images
from assay.manifest.source import Source
from assay.manifest.store import ImageStore

SIDE, SIZE = 320, 64


def write_set(folder: Path, count: int) -> list[str]:
    """Write JPEGs of smooth textures."""
    random = np.random.default_rng(1)
    names = [f"{number:06d}.jpg" for number in range(count)]
    for name in names:
        noise = Image.fromarray(random.integers(0, 255, (20, 20, 3), dtype=np.uint8))
        noise.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / name)
    return names


def cpu(action: Callable[[], object]) -> float:
    """Return the CPU seconds of one call."""
    start = time.process_time()
    action()
    return time.process_time() - start


def main() -> None:
    """Measure all ways in turn, and print seconds and ratios."""
    asked = dict(argument.split("=") for argument in sys.argv[1:])
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        (root / "set").mkdir()
        names = write_set(root / "set", int(asked.get("images", 2000)))
        paths = [root / "set" / name for name in names]
        listing = pl.DataFrame({"uri": names}).with_columns(fault=pl.lit(None, dtype=pl.String))

        def index() -> None:
            store = ImageStore(root / "images", SIZE)
            index_images(listing, Source("set", root), store, SIZE, "pillow")

        def naive() -> None:
            for path in paths:
                hashlib.md5(path.read_bytes()).hexdigest()
                np.asarray(Image.open(path).convert("RGB").resize((SIZE, SIZE)))

        def peer() -> None:
            for path in paths:
                hashlib.md5(path.read_bytes()).hexdigest()
                imagehash.phash(Image.open(path))

        seconds = {
            "naive: md5 and decode, each time": cpu(naive),
            "peer: md5 and imagehash": cpu(peer),
            "Assay, first": cpu(index),
            "Assay, unchanged": cpu(index),
            "limit: stat": cpu(lambda: [path.stat() for path in paths]),
        }
    for name, spent in seconds.items():
        print(f"{name:34s} {spent:8.3f} s  {len(names) / spent:10.0f} files a second")
    naive_s, again = seconds["naive: md5 and decode, each time"], seconds["Assay, unchanged"]
    print(f"first index, naive / Assay: {naive_s / seconds['Assay, first']:.2f}")
    print(f"unchanged, naive / Assay: {naive_s / again:.0f}  (goal: at least 10)")


if __name__ == "__main__":
    main()
