"""Loaders over stored images: batches are fetched by one index, order depends on (seed, epoch)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from assay.learning.plan import Set


class Stored(Dataset[tuple[Tensor, Tensor]]):
    """A set whose batches are fetched whole; nothing is collated sample by sample."""

    def __init__(self, rows: Set) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        """Return uint8 images (b, h, w, channels) and targets (b, …) as the set has them."""
        chosen = np.asarray(indices)
        images = torch.from_numpy(np.ascontiguousarray(self.rows.images[chosen]))
        return images, torch.from_numpy(self.rows.targets[chosen])


def _whole(batch: Any) -> Any:
    """Pass a batch that was fetched whole."""
    return batch


Loader = DataLoader[tuple[Tensor, Tensor]]


def train_loader(rows: Set, batch: int, seed: int, workers: int) -> Loader:
    """Return a loader shuffled by (seed, epoch).

    torch's `DistributedSampler` with one replica is the library's epoch-seeded sampler; Lightning
    tells it the epoch, also after a resume.
    """
    data = Stored(rows)
    order: DistributedSampler[tuple[Tensor, Tensor]] = DistributedSampler(
        data, num_replicas=1, rank=0, shuffle=True, seed=seed
    )
    return DataLoader(
        data,
        batch_size=batch,
        sampler=order,
        collate_fn=_whole,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def plain_loader(rows: Set, batch: int) -> Loader:
    """Return a loader in the order of the rows."""
    return DataLoader(Stored(rows), batch_size=batch, collate_fn=_whole)
