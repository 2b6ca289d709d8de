"""Reading: what a set of pictures costs to take in, of CPU seconds (user) of this process.

    python benchmarks/reading.py FOLDER [size=224] [fit=stretch] [rounds=5] [older=SRC]

Naive: md5 and Pillow, decoded whole, as RGB, resized. Peer: torchvision's `decode_image` and `resize`.
Assay: `index_images`, with all that it finds out: digest, turn, profile, notes, device, descriptors.
`older` is the `src` of another build (`git worktree add`), measured in processes of its own in turn with
this one's. Ratios are medians over rounds. Goal: at most 1.05 × the build before pictures were judged.
"""

from __future__ import annotations

import hashlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from assay.manifest.index import index_images
from assay.manifest.source import Source
from assay.manifest.store import ImageStore

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


def user_seconds(action: Callable[[], object]) -> float:
    """Return the CPU seconds that a call spends outside the kernel."""
    start = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    action()
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime - start


def assay(paths: list[Path], size: int, fit: str) -> None:
    """Take pictures in."""
    names = [str(path) for path in paths]
    listing = pl.DataFrame({"uri": names}).with_columns(fault=pl.lit(None, dtype=pl.String))
    with tempfile.TemporaryDirectory() as place:
        store = ImageStore(Path(place) / "images", size)
        index_images(listing, Source(place, Path(place)), store, size, "pillow", fit)


def naive(paths: list[Path], size: int) -> None:
    """Decode whole, then resize."""
    for path in paths:
        hashlib.md5(path.read_bytes()).hexdigest()
        np.asarray(Image.open(path).convert("RGB").resize((size, size)))


def peer(paths: list[Path], size: int) -> None:
    """Decode and resize with torchvision."""
    from torchvision.io import ImageReadMode, decode_image
    from torchvision.transforms.v2.functional import resize

    for path in paths:
        resize(decode_image(str(path), ImageReadMode.RGB), [size, size], antialias=True)


def in_another_process(ask: list[str], source: Path) -> float:
    """Return what one reading costs a build whose code lies elsewhere."""
    place = os.environ | {"PYTHONPATH": str(source), "ASSAY_READING_ONCE": "1"}
    done = subprocess.run(
        [sys.executable, __file__, *ask], env=place, capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure all ways in turn, and print milliseconds a picture and ratios."""
    folder, *more = sys.argv[1:]
    asked = dict(argument.split("=") for argument in more)
    size, fit = int(asked.get("size", 224)), asked.get("fit", "stretch")
    paths = sorted(path for path in Path(folder).resolve().rglob("*") if path.suffix in SUFFIXES)
    if "ASSAY_READING_ONCE" in os.environ:
        assay(paths[:8], size, fit)  # imports
        print(user_seconds(lambda: assay(paths, size, fit)))
        return
    here = Path(__file__).resolve().parents[1] / "src"
    ways: dict[str, Callable[[], float]] = {
        "naive: Pillow": lambda: user_seconds(lambda: naive(paths, size)),
        "peer: torchvision": lambda: user_seconds(lambda: peer(paths, size)),
        "Assay": lambda: in_another_process(sys.argv[1:], here),
    }
    if "older" in asked:
        ways["older Assay"] = lambda: in_another_process(sys.argv[1:], Path(asked["older"]))
    rounds = [
        {name: way() for name, way in ways.items()} for _ in range(int(asked.get("rounds", 5)))
    ]
    print(f"{len(paths)} pictures of {folder} at {size} px, {fit}")
    for name in ways:
        spent = statistics.median(each[name] for each in rounds)
        ratio = statistics.median(each["Assay"] / each[name] for each in rounds)
        print(
            f"{name:20s} {1000 * spent / len(paths):7.2f} ms a picture   Assay / this {ratio:.2f}"
        )


if __name__ == "__main__":
    main()
