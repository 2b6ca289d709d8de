"""Loaders over stored images: batches are fetched by one index, order depends on (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Sampler

from assay.errors import AssayError, UnreadableError

if TYPE_CHECKING:
    from assay.learning.training_spec import TrainData


class BatchDataset(Dataset[tuple[Tensor, ...]]):
    """A set whose batches are fetched whole; nothing is collated sample by sample.

    Args:
        rows: the set.
        skip: leave out what cannot be read any more, and tell each once; a batch may become empty. Else
            the fetch fails.
    """

    def __init__(self, rows: TrainData, skip: bool = False) -> None:
        self.rows, self.skip = rows, skip
        self._told: set[str] = set()

    def __len__(self) -> int:
        return len(self.rows.images)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, ...]:
        """Return uint8 images (b, h, w, channels), targets (b, …), and covariates (b, k) if any."""
        chosen = np.asarray(indices)
        try:
            images = self.rows.images[chosen]
        except UnreadableError as fault:
            if not self.skip:
                raise
            self._tell(fault)
            chosen = np.delete(chosen, fault.rows)
            images = self.rows.images[chosen]
        parts = [np.ascontiguousarray(images), self.rows.targets[chosen]]
        if self.rows.covariates is not None:
            parts.append(self.rows.covariates[chosen])
        return tuple(map(torch.from_numpy, parts))

    def _tell(self, fault: UnreadableError) -> None:
        if fault.where not in self._told:
            self._told.add(fault.where)
            more = f", and {len(fault.rows) - 1} more of its batch" if len(fault.rows) > 1 else ""
            print(f"skipped in training: {fault.where}: {fault.found}{more}", flush=True)


def _whole(batch: Any) -> Any:
    """Pass a batch that was fetched whole."""
    return batch


Loader = DataLoader[tuple[Tensor, ...]]


class Balanced(Sampler[int]):
    """Shows every class equally often, as many rows an epoch as there are, by (seed, epoch).

    A class's rows are gone through in a new order until it has its share: the rare ones come several
    times an epoch, of the frequent ones some only in another epoch.
    """

    def __init__(self, classes: npt.NDArray[np.int64], seed: int) -> None:
        self.members = [np.flatnonzero(classes == each) for each in np.unique(classes)]
        self.count, self.seed, self.epoch = len(classes), seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Take the epoch; Lightning tells it, also after a resume."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self.seed, self.epoch])
        share = -(-self.count // len(self.members))
        drawn = [
            np.concatenate([random.permutation(rows) for _ in range(-(-share // len(rows)))])[
                :share
            ]
            for rows in self.members
        ]
        return iter(random.permutation(np.concatenate(drawn))[: self.count].tolist())


def train_loader(
    rows: TrainData,
    batch: int,
    seed: int,
    workers: int,
    balanced: bool = False,
    prefetch: int = 2,
    drop_last: bool = False,
) -> Loader:
    """Return a loader shuffled by (seed, epoch); with classes it may be `balanced`.

    torch's `DistributedSampler` with one replica is the library's epoch-seeded sampler; Lightning
    tells it the epoch, also after a resume. Workers are forked: a spawned one imports torch and is handed
    all pixels, of a memory map too, and none touches the GPU. Lightning copies pinned batches to it
    without waiting.

    Raises:
        AssayError: `drop_last` would leave nothing.
    """
    if drop_last and len(rows.images) < batch:
        raise AssayError(
            "train.drop_last", f"{len(rows.images)} rows, fewer than a batch: nothing would be learned",
            f"at least {batch}, or drop_last false",
            "a smaller train.batch_size, or train.drop_last=false",
        )  # fmt: skip
    data = BatchDataset(rows, skip=True)
    order: Sampler[int] = (
        Balanced(rows.targets, seed)
        if balanced
        else DistributedSampler(data, num_replicas=1, rank=0, shuffle=True, seed=seed)
    )
    return DataLoader(
        data,
        batch_size=batch,
        sampler=order,
        collate_fn=_whole,
        num_workers=workers,
        prefetch_factor=prefetch if workers else None,
        drop_last=drop_last,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def plain_loader(rows: TrainData, batch: int) -> Loader:
    """Return a loader in the order of the rows."""
    return DataLoader(
        BatchDataset(rows),
        batch_size=batch,
        collate_fn=_whole,
        pin_memory=torch.cuda.is_available(),
    )
