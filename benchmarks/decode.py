"""Turn JPEGs of 976 × 1280 into network input of 224 × 224, on one core.

    python benchmarks/decode.py [images, 40]

Naive: PIL → RGB → Resize → ToTensor → Normalize, an image at a time, as torchvision's manual has it.
Peer: simplejpeg, decoded at 1/2 or 1/4 (DCT), then the same. Assay: `manifest.images.open_image` with
either decoder (it digests the bytes too), then `transforms.normalise` on batches of 8. Limit: the
scaled decoding alone, of bytes in memory. CPU seconds, medians of rounds in turn; grey levels (0 to 255)
by which the small images differ from the naive way's. Goal: naive at least 2.5 × Assay.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import simplejpeg
import torch
from PIL import Image, ImageFilter
from torchvision import transforms

from assay.learning.transforms import IMAGENET_MEAN, IMAGENET_STD, normalise
from assay.manifest.images import PILLOW, SIMPLEJPEG, open_image
from assay.manifest.source import Source

ROUNDS, SIZE, WIDTH, HEIGHT, BATCH = 5, 224, 1280, 976, 8
Batch = torch.Tensor
resize = transforms.Resize((SIZE, SIZE))
finish = transforms.Compose(
    [transforms.ToTensor(), transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
)


def write_images(folder: Path, count: int) -> list[Path]:
    """Write what weighs as photographs do: smooth colours and fine grain, 0.8 bits a pixel."""
    random = np.random.default_rng(0)
    paths = [folder / f"{number:04d}.jpg" for number in range(count)]
    for path in paths:
        coarse = Image.fromarray(random.integers(40, 220, (8, 10, 3), dtype=np.uint8))
        smooth = coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        grain = Image.fromarray(random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
        grain = grain.filter(ImageFilter.GaussianBlur(1.0))
        Image.blend(smooth, grain, 0.11).save(path, quality=90)
    return paths


def small_naive(path: Path) -> Image.Image:
    """Decode whole, then resize."""
    return resize(Image.open(path).convert("RGB"))


def small_peer(path: Path) -> Image.Image:
    """Decode at a fraction, then resize."""
    pixels = simplejpeg.decode_jpeg(
        path.read_bytes(), min_height=SIZE, min_width=SIZE, min_factor=1
    )
    return resize(Image.fromarray(pixels))


def opened(paths: list[Path], decoder: str) -> np.ndarray:
    """Open files as ingest does."""
    source = Source(str(paths[0].parent), Path("/"))
    images = [open_image(source, str(p), source.stamp(str(p)), SIZE, decoder) for p in paths]
    return np.stack([image.pixels for image in images if image.pixels is not None])


def prepared(paths: list[Path], decoder: str) -> list[Batch]:
    """Open files, and normalise them a batch at a time."""
    images = torch.from_numpy(opened(paths, decoder))
    return [normalise(batch) for batch in images.split(BATCH)]


def scaled_decode(contents: list[bytes]) -> None:
    """Decode at a fraction, and nothing else."""
    for content in contents:
        simplejpeg.decode_jpeg(content, min_height=SIZE, min_width=SIZE, min_factor=1)


def measure(ways: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Return CPU seconds of every round; the first warms the caches and does not count."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            if round_:
                times[name].append(time.process_time() - start)
    return times


def main() -> None:
    """Measure all ways in turn, print times, ratios and differences."""
    torch.set_num_threads(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with tempfile.TemporaryDirectory() as place:
        paths = write_images(Path(place), count)
        contents = [path.read_bytes() for path in paths]
        print(f"{count} images, {sum(map(len, contents)) / count / 1000:.0f} kB each")
        ways: dict[str, Callable[[], object]] = {
            "naive: PIL": lambda: torch.stack([finish(small_naive(path)) for path in paths]),
            "peer: simplejpeg": lambda: torch.stack([finish(small_peer(path)) for path in paths]),
            "Assay: pillow": lambda: prepared(paths, PILLOW),
            "Assay: simplejpeg": lambda: prepared(paths, SIMPLEJPEG),
            "limit: scaled decoding": lambda: scaled_decode(contents),
        }
        times = measure(ways)
        truth = np.stack([np.asarray(small_naive(path)) for path in paths]).astype(float)
        small = {
            "peer: simplejpeg": np.stack([np.asarray(small_peer(path)) for path in paths]),
            "Assay: pillow": opened(paths, PILLOW),
            "Assay: simplejpeg": opened(paths, SIMPLEJPEG),
        }
    for name, values in times.items():
        pairs = zip(times["naive: PIL"], values, strict=True)
        faster = statistics.median(a / b for a, b in pairs)
        line = f"{name:24s} {1000 * statistics.median(values) / count:6.2f} ms an image"
        line += f"   naive / this: {faster:.2f}"
        if name in small:
            apart = np.abs(small[name] - truth)
            line += f"   grey levels apart: mean {apart.mean():.2f}, most {apart.max():.0f}"
        print(line)
    print("goal: naive / Assay at least 2.5")


if __name__ == "__main__":
    main()
