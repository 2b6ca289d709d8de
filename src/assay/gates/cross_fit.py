"""A model of milliseconds, learned on some subjects and asked about others: ridge, in closed form."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
PENALTIES = 10.0 ** np.arange(-4, 4.1, 0.5)  # in units of the mean eigenvalue
FOLDS = 5
MOST = 16  # components of the labels
LEAST = 1e-3  # of the labels' variance, below which a component is rounding
SEED = 20261130


def scaled(values: Floats) -> Floats:
    """Return columns (n, d) of zero mean and unit spread; unknown values are the mean."""
    known = np.where(np.isfinite(values), values, np.nan)
    empty = np.isnan(known).all(axis=0)
    known = known[:, ~empty]
    mean, spread = np.nanmean(known, axis=0), np.nanstd(known, axis=0)
    moving = spread > 1e-9 * (1 + np.abs(mean))
    return np.asarray(np.nan_to_num((known[:, moving] - mean[moving]) / spread[moving]))


def components(labels: Floats) -> Floats:
    """Return labels (n, k) as at most `MOST` uncorrelated columns of unit variance."""
    plain = scaled(labels)
    if not plain.shape[1]:
        return plain
    left, values, _ = np.linalg.svd(plain, full_matrices=False)
    kept = values**2 > LEAST * (values**2).sum()
    return np.asarray(left[:, kept][:, :MOST] * np.sqrt(len(plain)))


def learned(pictures: Floats, labels: Floats, asked: Floats) -> Floats:
    """Return what a ridge learned of (n, d) → (n, k) says of `asked` (m, d).

    One penalty for all labels, by generalised cross-validation.
    """
    middle, spread = pictures.mean(axis=0), pictures.std(axis=0) + 1e-9
    known, new = (pictures - middle) / spread, (asked - middle) / spread
    mean = labels.mean(axis=0)
    left, values, right = np.linalg.svd(known, full_matrices=False)
    aimed = left.T @ (labels - mean)
    total = float(((labels - mean) ** 2).sum())
    scale = max(float((values**2).mean()), 1e-12)
    best, filtered = np.inf, np.zeros_like(values)
    for penalty in PENALTIES * scale:
        passes = values**2 / (values**2 + penalty)
        error = total - float((((2 - passes) * passes)[:, None] * aimed**2).sum())
        risk = error / max(len(known) - 1 - float(passes.sum()), 1.0) ** 2
        if risk < best:
            best, filtered = risk, values / (values**2 + penalty)
    return np.asarray(new @ (right.T @ (filtered[:, None] * aimed)) + mean)


def cross_fitted(pictures: Floats, labels: Floats, unit: Indices) -> Floats:
    """Return what is said of each row (n, k) by a model that saw no row of its unit."""
    names, place = np.unique(unit, return_inverse=True)
    order = np.random.default_rng(SEED).permutation(len(names))
    fold = (order % FOLDS)[place]
    said = np.zeros_like(labels)
    for number in range(FOLDS):
        here = fold == number
        if here.any() and not here.all():
            said[here] = learned(pictures[~here], labels[~here], pictures[here])
    return said


def exchanges(unit: Indices, draws: int) -> Indices:
    """Return rows (draws, n): whose label each row gets when units exchange theirs.

    Where the other has fewer rows, they are gone through again; `unit` is sorted.
    """
    first = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])
    size = np.diff(np.r_[first, len(unit)])
    mine = np.repeat(np.arange(len(first)), size)
    within = np.arange(len(unit)) - first[mine]
    random = np.random.default_rng(SEED + 1)
    other = np.stack([random.permutation(len(first)) for _ in range(draws)])[:, mine]
    return np.asarray(first[other] + within % size[other])


def sums(values: Floats, place: Indices, count: int) -> Floats:
    """Return the sums (count, k) of rows (n, k) by their place."""
    found = np.zeros((count, values.shape[1]))
    np.add.at(found, place, values)
    return found
