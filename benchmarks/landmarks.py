"""Cost of a landmark training: opening films, one step of the U-Net, reading its maps.

    python benchmarks/landmarks.py [films, 12]

Films: grey PNG of 2,000 × 2,400 px → 512. Naive: PIL → RGB → Resize → ToTensor → Normalize in every
epoch, as torchvision's manual has it. Assay: `open_image` once, then the stored square, normalised on
batches of 8. Limit: the inflation of the PNG alone (what no loader saves without a cache), and the
normalisation alone.
Step: forward, loss and backward of the small U-Net at 256 px, batch 8, with the plain layout in fp32,
with channels last, with bf16, with both; one thread.
Codecs: encoding and decoding 29 landmarks on maps of 64 × 64, batch 8, beside argmax alone.
CPU seconds, medians of rounds in turn.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from torchvision import transforms

from assay.learning.transforms import IMAGENET_MEAN, IMAGENET_STD, normalise
from assay.learning.vision.codecs import Heatmap
from assay.learning.vision.losses import HeatmapLoss
from assay.learning.vision.networks import small_unet
from assay.manifest.images import LETTERBOX, PILLOW, open_image
from assay.manifest.source import Source

ROUNDS, SIZE, BATCH, POINTS, SIDE = 5, 512, 8, 29, 256
Job = Callable[[], object]
naive = transforms.Compose(
    [
        transforms.Resize((SIZE, SIZE)), transforms.ToTensor(),
        transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
    ]
)  # fmt: skip


def write_films(folder: Path, count: int) -> list[Path]:
    """Write grey films with the grain of a radiograph: about 0.6 of their bytes stay in the PNG."""
    random = np.random.default_rng(0)
    paths = [folder / f"{number:04d}.png" for number in range(count)]
    for path in paths:
        coarse = Image.fromarray(random.integers(20, 230, (12, 10), dtype=np.uint8))
        smooth = coarse.resize((2000, 2400), Image.Resampling.BICUBIC)
        grain = Image.fromarray(random.integers(0, 256, (2400, 2000), dtype=np.uint8))
        Image.blend(smooth, grain.filter(ImageFilter.GaussianBlur(1)), 0.1).save(path)
    return paths


def medians(jobs: dict[str, Job], count: int) -> dict[str, float]:
    """Run the jobs in turn; return each one's median of CPU milliseconds, divided by `count`."""
    spent: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        job()
    for _, (name, job) in product(range(ROUNDS), jobs.items()):
        start = time.thread_time()
        job()
        spent[name].append(1000 * (time.thread_time() - start) / count)
    return {name: statistics.median(each) for name, each in spent.items()}


def show(title: str, unit: str, spent: dict[str, float]) -> None:
    """Print the first job's cost as a multiple of each other's."""
    first = next(iter(spent.values()))
    print(title)
    for name, each in spent.items():
        print(f"  {name:44s} {each:9.3f} ms {unit}   {first / each:8.2f} ×")


def films(paths: list[Path]) -> None:
    """Compare ways from a film's file to the network's input."""
    source = Source(str(paths[0].parent), Path("/"))

    def opened() -> np.ndarray:
        found = [
            open_image(source, str(p), source.stamp(str(p)), SIZE, PILLOW, LETTERBOX) for p in paths
        ]
        return np.stack([image.pixels for image in found if image.pixels is not None])

    stored = torch.from_numpy(opened())
    jobs: dict[str, Job] = {
        "naive, every epoch": lambda: [naive(Image.open(p).convert("RGB")) for p in paths],
        "Assay, the epoch that fills the store": opened,
        "Assay, every other epoch": lambda: [normalise(part) for part in stored.split(BATCH)],
        "limit without a store: PNG inflation": lambda: [Image.open(p).load() for p in paths],
        "limit with one: float conversion": lambda: [part.float() for part in stored.split(BATCH)],
    }
    show("grey PNG 2,000 × 2,400 → 512", "a film", medians(jobs, len(paths)))


def step(layout: torch.memory_format, *, half: bool) -> Job:
    """Return one step of the small U-Net."""
    torch.manual_seed(0)
    network = small_unet(POINTS, 4).to(memory_format=layout)
    loss = HeatmapLoss(Heatmap(SIDE))
    images = torch.rand(BATCH, 3, SIDE, SIDE).to(memory_format=layout)
    points = torch.rand(BATCH, POINTS, 2) * (SIDE - 1)

    def run() -> None:
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            spent = loss(network(images), points)
        spent.backward()

    return run


def codecs() -> None:
    """Compare the decoders, and what encoding costs."""
    points = torch.rand(BATCH, POINTS, 2) * (SIDE - 1)
    maps = Heatmap(SIDE).encode(points).targets
    jobs: dict[str, Job] = {
        "argmax": lambda: Heatmap(SIDE, decoder="argmax").decode(maps),
        "soft": lambda: Heatmap(SIDE, decoder="soft").decode(maps),
        "DARK": lambda: Heatmap(SIDE, decoder="dark").decode(maps),
        "encoding": lambda: Heatmap(SIDE).encode(points),
    }
    show("codecs, maps of 64 × 64", "a film", medians(jobs, BATCH))


def main() -> None:
    """Print the three tables."""
    torch.set_num_threads(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    with tempfile.TemporaryDirectory() as folder:
        films(write_films(Path(folder), count))
    steps = {
        "fp32": step(torch.contiguous_format, half=False),
        "fp32, channels last": step(torch.channels_last, half=False),
        "bf16": step(torch.contiguous_format, half=True),
        "bf16, channels last": step(torch.channels_last, half=True),
    }
    show("U-Net of 0.8 M at 256 px, one step of 8", "a step", medians(steps, 1))
    codecs()


if __name__ == "__main__":
    main()
