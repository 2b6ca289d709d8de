"""What is known of images and of pairs: what was kept, and what is missing, made over all cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl
from rich.progress import Progress, track
from threadpoolctl import threadpool_limits

from assay.similar.kept import digest_bytes, slots
from assay.similar.pool import over_cores
from assay.similar.records import ABSENT
from assay.similar.work import Compare, Extract, RandomPair

if TYPE_CHECKING:
    from assay.similar.appended import Appended, Records
    from assay.similar.work import Integers, Pixels

IMAGES, PAIRS = 64, 2048  # of a task: seconds, so that a killed run loses little


def gathered_features(
    store: Appended, digests: Sequence[str], open_image: Callable[[int], Pixels], workers: int
) -> Integers:
    """Return the place (n,) of each image in the store; contents that it lacks are opened, each once.

    Args:
        store: of features.
        digests: of the contents.
        open_image: gives a row's original (height, width, 3), RGB; can be pickled.
        workers: processes that open them.
    """
    names, known = digest_bytes(digests), store.read()["content"]
    lacking = np.flatnonzero(slots(known, names) == ABSENT)
    twins = slots(names[lacking], names[lacking])
    rows = lacking[twins == np.arange(len(lacking))]  # the first of each content
    tasks = [(part, names[part]) for part in _parts(rows, IMAGES)]
    with Progress(disable=not tasks) as progress:
        bar, seen = progress.add_task("features", total=len(rows)), len(known)
        for made in over_cores(Extract(open_image), tasks, workers):
            seen = store.append(partial(_unless_there, made, seen))
            progress.advance(bar, len(made))
    return slots(store.read()["content"], names)


def _unless_there(made: Records, seen: int, records: Records) -> Records:
    """Leave out what another process has written since the first `seen`."""
    new: Records = made[slots(records["content"][seen:], made["content"]) == ABSENT]
    return new


def gathered_pairs(
    store: Appended, features: Appended, places: Integers, workers: int
) -> pl.DataFrame:
    """Return the guesses of each pair that could be accepted by any rule, as rows of `PAIR`.

    Args:
        store: of pairs.
        features: where the pairs' places are.
        places: (m, 2) pairs of places; each once.
        workers: processes that compare those that the store lacks.
    """
    wanted = pl.DataFrame(places.astype(np.int32), schema=["a", "b"])
    lacking = wanted.join(_whole(store), on=["a", "b"], how="anti").to_numpy()
    tasks = _parts(lacking, PAIRS)
    with Progress(disable=not tasks) as progress:
        bar = progress.add_task("pairs", total=len(lacking))
        for task, made in zip(tasks, over_cores(Compare(features), tasks, workers), strict=True):
            store.append(partial(_all, made))
            progress.advance(bar, len(task))
    return wanted.join(_guesses(store), on=["a", "b"], how="inner", maintain_order="left")


def gathered_chance(
    store: Appended, features: Appended, places: Integers
) -> tuple[Integers, npt.NDArray[np.float64]]:
    """Return the most inliers (m,) and the highest correlation (m,) of each random pair.

    Args:
        store: of what random pairs reach.
        features: where the pairs' places are.
        places: (m, 2) pairs of places; some hundred, whatever the set: compared in this process.
    """
    wanted = pl.DataFrame(places.astype(np.int32), schema=["a", "b"])
    lacking = wanted.unique(maintain_order=True).join(_chance(store), on=["a", "b"], how="anti")
    if len(lacking):
        with threadpool_limits(1, "blas"):
            pairs = track(lacking.rows(), "null pairs")
            reached = list(map(RandomPair(features), pairs))
        store.append(partial(_all, np.concatenate(reached)))
    found = wanted.join(_chance(store), on=["a", "b"], how="left", maintain_order="left")
    return found["inliers"].cast(pl.Int64).to_numpy(), found["correlation"].to_numpy()


def _chance(store: Appended) -> pl.DataFrame:
    kept = store.read()
    table = pl.DataFrame({name: kept[name] for name in kept.dtype.names or ()})
    return table.unique(["a", "b"], maintain_order=True)  # two processes may have written at once


def _all(made: Records, _: Records) -> Records:
    return made


def _whole(store: Appended) -> pl.DataFrame:
    kept = store.read()
    kept = kept[kept["last"]]
    return pl.DataFrame({"a": kept["a"], "b": kept["b"]})


def _guesses(store: Appended) -> pl.DataFrame:
    """Return the guesses; what two processes wrote at once stands here once."""
    kept = store.read()
    kept = kept[kept["inliers"] != ABSENT]
    table = pl.DataFrame({name: kept[name] for name in kept.dtype.names or () if name != "last"})
    return table.unique(maintain_order=True)


def _parts(rows: npt.NDArray[np.int64], size: int) -> list[npt.NDArray[np.int64]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
