"""Split by group, stratified on the label: the test part first, folds over the rest."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.errors import AssayError
from assay.manifest.folds import stratified_group_folds

TEST, TRAINVAL = "test", "trainval"


def strata(labels: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.int64]:
    """Return the quantile bin (0 … count − 1) of each label; those without one have bin `count`."""
    known = ~np.isnan(labels)
    bins = np.full(len(labels), count, dtype=np.int64)
    if known.any():
        edges = np.quantile(labels[known], np.linspace(0, 1, count + 1)[1:-1])
        bins[known] = np.searchsorted(edges, labels[known], side="right")
    return bins


def assign(
    table: pl.DataFrame,
    target: str,
    share: float | Literal["none", "published"],
    folds: int,
    bins: int,
    seed: int,
) -> pl.DataFrame:
    """Return `sample_id, split, fold` for every row of `table`.

    A test share of 1/n is one fold of n; the rest is cut into `folds`, and which of them validates is
    the task's choice. Fold −1 marks the test part. No group stands in two splits or two folds.

    Args:
        table: rows to be split, with `sample_id`, `group_id` and the `target` column.
        target: the label that is balanced.
        share: the part of the test set, or as a whole number its groups; `none` for a set without one;
            `published` for the rows of the subset `test`, and with them every row of their groups.
        folds: folds over the rest.
        bins: quantile bins of the label.
        seed: of the shuffle.
    """
    bin_of = strata(table[target].cast(pl.Float64).fill_null(np.nan).to_numpy(), bins)
    group = table["group_id"]
    is_test = np.zeros(len(table), dtype=bool)
    if share == "published":
        is_test = group.is_in(group.filter(table["subset"] == TEST).implode()).to_numpy()
    elif isinstance(share, int):
        is_test = group.is_in(_drawn(table, target, share, seed).implode()).to_numpy()
    elif share != "none":
        is_test = _folds(bin_of, group, round(1 / share), seed) == 0
    fold = np.full(len(table), -1, dtype=np.int64)
    fold[~is_test] = _folds(bin_of[~is_test], group.filter(~is_test), folds, seed)
    split = np.where(is_test, TEST, TRAINVAL)
    return pl.DataFrame({"sample_id": table["sample_id"], "split": split, "fold": fold})


def _drawn(table: pl.DataFrame, target: str, count: int, seed: int) -> pl.Series:
    """Return so many groups, by seed: in order of their label, one of each of as many parts."""
    label = pl.col(target).cast(pl.Float64)
    groups = (
        table.group_by("group_id").agg(label.median()).sort(target, "group_id", nulls_last=True)
    )
    if count >= len(groups):
        raise AssayError(
            "split",
            f"{count} groups are to be the test set, of {len(groups)}",
            "some left to train on",
            f"a `split.test` below {len(groups)}",
        )
    random = np.random.default_rng(seed)
    parts = np.array_split(np.arange(len(groups)), count)
    return groups["group_id"][[int(random.choice(part)) for part in parts]]


def _folds(
    bin_of: npt.NDArray[np.int64], group: pl.Series, count: int, seed: int
) -> npt.NDArray[np.int64]:
    """Return the fold of each row; groups are numbered by name, so the order of rows is nothing."""
    number: npt.NDArray[np.int64] = group.rank("dense").to_numpy().astype(np.int64) - 1
    groups = int(number.max(initial=-1)) + 1
    if groups < count:
        raise AssayError(
            "split",
            f"{groups} groups cannot be cut into {count} parts",
            f"at least {count} groups",
            "fewer `split.folds`, or another `split.test`",
        )
    classes = int(bin_of.max()) + 1
    cells = np.bincount(number * classes + bin_of, minlength=groups * classes)
    return stratified_group_folds(cells.reshape(groups, classes), count, seed)[number]
