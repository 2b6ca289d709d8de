"""Films of the landmark task for unit tests: bright spots at the points, both readers, three machines."""

from __future__ import annotations

import numpy as np

from assay.manifest.rows import Rows
from assay.systems.ceph.tasks.names import COUNT

MACHINES = ("A", "B", None)


def films(count: int, size: int, seed: int = 0) -> Rows:
    """Return films twice as large as they are stored, and higher than wide."""
    random = np.random.default_rng(seed)
    width, height = 2 * size * 3 // 4, 2 * size
    face = random.uniform(0.25, 0.75, (COUNT, 2)) * [width, height]
    points = face + random.normal(0, size / 16, (count, COUNT, 2))
    readers = [points + random.normal(0, 1, points.shape) for _ in range(2)]
    readers[1][0, 3] = np.nan  # a point that one reader left out
    stored = points / 2 + [size / 8, 0]
    y, x = np.mgrid[:size, :size]
    apart = np.square(stored[:, :, None, None, :] - np.stack([x, y], axis=-1)).sum(axis=-1)
    light = np.exp(-apart / 4).max(axis=1)
    images = np.repeat((40 + 200 * light)[..., None], 3, axis=-1).astype(np.uint8)
    names = np.array([f"film{number:03d}" for number in range(count)], dtype=object)
    machines = np.array([MACHINES[number % 3] for number in range(count)], dtype=object)
    return Rows({"image": images}, {
        "sample_id": names, "group_id": names, "machine": machines,
        "senior": readers[0], "junior": readers[1], "target": (readers[0] + readers[1]) / 2,
        "spacing": np.full(count, 0.1), "cvm": np.arange(count) % 6,
        "width": np.full(count, width), "height": np.full(count, height),
    })  # fmt: skip
