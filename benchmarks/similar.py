"""Near-identical images: the exact hash search, and the whole search as sets grow.

    python benchmarks/similar.py [hashes=20000] [images=300,1000]

Search: peer imagehash (hash differences, one pair at a time, on 1,000 hashes), naive numpy n², Assay's
`near_hashes` under eight views, and the limit, reading the hashes once. Pairs a second, since the peer
cannot be waited for. Whole: `find_similar` on textures of which one in ten stands again, mirrored,
cropped to 85 % and re-encoded; CPU seconds, recall and false pairs by size. CPU time throughout.

The textures stand for sets whose pictures look alike, not for photographs: all have one palette, one
grain and nothing at large, so that colour and hash hardly tell them apart, and local features must.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter, ImageOps

from assay.manifest.hashes import perceptual_hash, views
from assay.similar.find import find_similar
from assay.similar.search import near_hashes

RADIUS, NEAREST, NULL, EACH = 6, 10, 400, 10
Pixels = npt.NDArray[np.uint8]


def cpu(action: Callable[[], object]) -> float:
    """Return the CPU seconds of one call."""
    start = time.process_time()
    action()
    return time.process_time() - start


def search(count: int) -> None:
    """Measure the search in `count` random hashes."""
    random = np.random.default_rng(1)
    hashes = random.integers(0, 2**63, count, dtype=np.uint64) & ~np.uint64(1)
    few = [imagehash.ImageHash(row) for row in random.random((1000, 8, 8)) < 0.5]
    some = hashes[:4000]

    def peer() -> None:
        for one, first in enumerate(few):
            for second in few[one + 1 :]:
                _ = first - second

    def naive() -> None:
        seen = views(some)
        for row in range(len(some)):
            _ = np.bitwise_count(seen ^ some[row]).min(axis=1) <= RADIUS

    seconds = {
        "peer: imagehash, one view": (cpu(peer), 1000**2 / 2),
        "naive: numpy n², eight views": (cpu(naive), 8 * len(some) ** 2 / 2),
        "Assay, eight views": (cpu(lambda: near_hashes(hashes, RADIUS)), 8 * count**2 / 2),
        "limit: reading them once": (cpu(hashes.sum), float(count)),
    }
    for name, (spent, pairs) in seconds.items():
        rate = pairs / max(spent, 1e-6)
        print(f"{name:30s} {spent:8.3f} s  {rate / 1e6:12.1f} M a second")
    mine = seconds["Assay, eight views"]
    peers = seconds["peer: imagehash, one view"]
    print(f"{count} hashes: {mine[0]:.2f} s CPU (goal at 100,000: at most 5);", end=" ")
    print(f"pairs a second, Assay / peer: {mine[1] / mine[0] / (peers[1] / peers[0]):.0f}")


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


def whole(count: int) -> None:
    """Measure the whole search in `count` images."""
    originals = count * EACH // (EACH + 1)
    stored = np.stack([
        np.asarray(Image.fromarray(picture(row, originals)).resize((64, 64))) for row in range(count)
    ])  # fmt: skip
    start = time.process_time()
    found = find_similar(
        stored, perceptual_hash(stored), np.arange(count), lambda row: picture(row, originals),
        radius=RADIUS, nearest=NEAREST, null=NULL, seed=1,
    )  # fmt: skip
    spent = time.process_time() - start
    pairs = set(found.pairs.select("a", "b").iter_rows())
    true = {((row - originals) * EACH, row) for row in range(originals, count)}
    print(
        f"{count} images: {spent:.0f} s CPU, {1e3 * spent / count:.0f} ms an image,"
        f" {found.candidates} candidates; recall {len(pairs & true) / len(true):.3f},"
        f" {len(pairs - true)} false of {len(pairs)}"
    )


def main() -> None:
    """Measure both, at the sizes asked for."""
    asked = dict(argument.split("=") for argument in sys.argv[1:])
    search(int(asked.get("hashes", 20_000)))
    for count in asked.get("images", "300,1000").split(","):
        whole(int(count))


if __name__ == "__main__":
    main()
