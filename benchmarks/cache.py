"""Feed a training with images of 224 × 224: decoded each time, or from the once-made uint8 file.

    python benchmarks/cache.py [stored images, 500 2000]

Naive: a torch DataLoader that decodes JPEGs of 976 × 1280, resizes and normalises (40 images a round).
Peer: a torch DataLoader over the stored file, image by image, ToTensor and Normalize, collated. Assay:
`learning.data.train_loader` over the memory-mapped file, shuffled, normalised a batch at a time. Limit:
normalising batches that lie in memory. One thread, no workers, batches of 8, the study's; CPU
seconds an image, medians of rounds in turn, for each number of stored images.
Goal: naive at least 30 × Assay.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from decode import finish, small_naive, write_images
from torch.utils.data import DataLoader, Dataset

from assay.learning.data import train_loader
from assay.learning.training_spec import TrainData
from assay.learning.transforms import normalise

ROUNDS, SIZE, BATCH, DECODED = 5, 224, 8, 40


class Files(Dataset[torch.Tensor]):
    """JPEG files, decoded when asked for."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        return finish(small_naive(self.paths[index]))


class OneByOne(Dataset[torch.Tensor]):
    """Stored images, handed out singly."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return finish(np.array(self.images[index]))


def store(path: Path, count: int) -> np.ndarray:
    """Write `count` images into one .npy file, and map it."""
    random = np.random.default_rng(0)
    whole = np.lib.format.open_memmap(path, "w+", np.uint8, (count, SIZE, SIZE, 3))
    for number in range(count):
        whole[number] = random.integers(0, 256, whole.shape[1:], dtype=np.uint8)
    whole.flush()
    return np.load(path, mmap_mode="r")


def walk(batches: Iterable[torch.Tensor]) -> None:
    """Take every batch, and look at it."""
    for batch in batches:
        assert batch.shape[1:] == (3, SIZE, SIZE)


def ways(paths: list[Path], images: np.ndarray) -> dict[str, tuple[int, Callable[[], None]]]:
    """Return each way with the number of images that it handles."""
    rows = TrainData(images, np.zeros((len(images), 1), dtype=np.float32))
    ours = train_loader(rows, BATCH, seed=0, workers=0)
    held = torch.from_numpy(np.array(images[:BATCH]))
    decoding = DataLoader(Files(paths), BATCH, shuffle=True)
    single = DataLoader(OneByOne(images), BATCH, shuffle=True)
    times = len(images) // BATCH
    return {
        "naive: decoding": (len(paths), lambda: walk(decoding)),
        "peer: stored, singly": (len(images), lambda: walk(single)),
        "Assay": (len(images), lambda: walk(normalise(batch) for batch, _ in ours)),
        "limit: normalising": (
            times * BATCH,
            lambda: walk(normalise(held) for _ in range(times)),
        ),
    }


def main() -> None:
    """Measure all ways in turn at each size, print times and ratios."""
    torch.set_num_threads(1)
    counts = [int(value) for value in sys.argv[1:]] or [500, 2000]
    with tempfile.TemporaryDirectory() as place:
        paths = write_images(Path(place), DECODED)
        for count in counts:
            chosen = ways(paths, store(Path(place) / "images.npy", count))
            times: dict[str, list[float]] = {name: [] for name in chosen}
            for round_ in range(ROUNDS + 1):  # the first warms the caches and does not count
                for name, (handled, way) in chosen.items():
                    start = time.process_time()
                    way()
                    if round_:
                        times[name].append((time.process_time() - start) / handled)
            print(f"{count} images stored, {count * SIZE * SIZE * 3 / 1e6:.0f} MB")
            for name, values in times.items():
                pairs = zip(times["naive: decoding"], values, strict=True)
                ratio = statistics.median(a / b for a, b in pairs)
                each = 1000 * statistics.median(values)
                print(f"  {name:22s} {each:7.3f} ms an image   naive / this: {ratio:.1f}")
    print("goal: naive / Assay at least 30")


if __name__ == "__main__":
    main()
