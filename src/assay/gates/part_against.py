"""One part against the others: whether what the others taught holds in it.

What a model says of pictures is held against labels, not these against it: `said = a + b · label + rest`,
with a and b from the others. A part whose labels are spread or centred otherwise (sicker people) leaves a
and b as they are; one whose labels are another's has no b, one whose labels are 1.5 too high another a.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.gates.cross_fit import SEED, cross_fitted, exchanges, learned, sums

if TYPE_CHECKING:
    from assay.gates.cross_fit import Floats, Indices, Mask

DRAWS = 999  # of the parts' membership
EXCHANGES = 399  # of labels among subjects
LEAST = 1e-3  # of the largest spread of pictures, below which a direction is rounding
FEWEST_SEVERAL = 30  # subjects with several rows, to say which row a label is of
VARIES = 0.1  # share of the labels' variance that lies within subjects, at least, to ask so
UNSEEN = 0.05  # chance, at least, of labels that are said to be another row's
PLACES = 12  # directions of pictures in which a shift is looked for


@dataclass(frozen=True)
class Against:
    """What a part shows beside the others, all by subject.

    Attributes:
        seen: chance that exchanged labels of the others are predicted as well as theirs.
        own: the same in the part, by the model of the others.
        slope: of the part, in units of the others'; 1 is as well as they, 0 is not at all.
        low: how many standard errors it lies below theirs.
        expected: the same if the part's labels were exchanged: too few of them tell little.
        offset: by how much labels lie off, in the labels' standard deviations, component by component.
        off: how far, over what chance does to each component.
        beside: how far its pictures lie beside where labels move them, as another camera's do.
        null_low, null_off, null_beside: (DRAWS,) the same of subjects dealt to parts at random.
        worst: rows of the part, those that fit least first.
        said: (n, k) predictions, the part's by the others' model.
        misfit: (k,) what is left in the part over what is left in the others, of what is seen best.
    """

    seen: float
    own: float
    slope: float
    low: float
    expected: float
    offset: float
    off: float
    beside: float
    null_low: Floats
    null_off: Floats
    null_beside: Floats
    worst: Indices
    said: Floats
    misfit: Floats


def chance(said: Floats, labels: Floats, unit: Indices, weight: Floats | None = None) -> float:
    """Return how often exchanged labels agree with predictions as well as the true ones do."""
    centred = said - said.mean(axis=0)

    def agreement(told: Floats) -> float:
        each = (centred * (told - told.mean(axis=0))).mean(axis=0)
        return float(
            (each * weight).sum() if weight is not None else (np.maximum(each, 0) ** 2).sum()
        )

    own = agreement(labels)
    null = [agreement(labels[rows]) for rows in exchanges(unit, EXCHANGES)]
    return (1 + sum(value >= own for value in null)) / (1 + EXCHANGES)


def other_picture(said: Floats, labels: Floats, unit: Indices) -> bool:
    """Whether labels fit no better than those of another row of their subject.

    Asked only where enough subjects have several rows whose labels differ.
    """
    several = np.bincount(unit)[unit] > 1
    place = unit[several]
    if len(np.unique(place)) < FEWEST_SEVERAL:
        return False
    rows = np.bincount(place)[:, None]

    def within(values: Floats) -> Floats:
        mean = sums(values[several], place, len(rows)) / np.maximum(rows, 1)
        return np.asarray(values[several] - mean[place])

    weight, mine, own = slopes(said, labels), within(said), within(labels)
    if (weight * own**2).sum() < VARIES * (weight * labels[several] ** 2).sum():
        return False
    random = np.random.default_rng(SEED)
    true = float((weight * mine * own).sum())
    orders = (np.lexsort((random.random(len(place)), place)) for _ in range(EXCHANGES))
    reached = sum((weight * mine * own[order]).sum() >= true for order in orders)
    return bool((1 + reached) / (1 + EXCHANGES) > UNSEEN)


def slopes(said: Floats, labels: Floats) -> Floats:
    """Return the slope (k,) of predictions over labels, at least 0."""
    told = labels - labels.mean(axis=0)
    slope = (said * told).sum(axis=0) / np.maximum((told**2).sum(axis=0), 1e-12)
    return np.asarray(np.maximum(slope, 0))


def compare_part(
    pictures: Floats, labels: Floats, unit: Indices, here: Mask, dealt: Indices, part: int
) -> Against | None:
    """Compare the rows `here` with all others; None where the others are predicted by nothing.

    Args:
        pictures: (n, d).
        labels: (n, k) components.
        unit: (n,) the subject of each row, numbers from 0, rising.
        here: (n,) rows of the part; a subject lies in it whole, or not at all.
        dealt: (draws, subjects) parts of subjects, dealt at random.
        part: its number in `dealt`.
    """
    there = ~here
    others = cross_fitted(pictures[there], labels[there], unit[there])
    seen = chance(others, labels[there], unit[there])
    weight = slopes(others, labels[there])
    if not weight.any():
        return None
    said = np.zeros_like(labels)
    said[there] = others
    said[here] = learned(pictures[there], labels[there], pictures[here])
    return _against(pictures, labels, unit, here, dealt == part, said, weight, seen)


def _against(
    pictures: Floats, labels: Floats, unit: Indices, here: Mask, dealt: Mask,
    said: Floats, weight: Floats, seen: float,
) -> Against:  # fmt: skip
    """Measure a part by what is said of all rows, and by the slopes of the others."""
    there = ~here
    told, spread = labels - labels[there].mean(axis=0), np.zeros(len(labels))
    rest = said - said[there].mean(axis=0) - weight * told
    count = int(unit[-1]) + 1
    inside = np.zeros(count, dtype=bool)
    inside[unit[here]] = True
    agree = np.zeros(len(labels))
    for side in (here, there):
        own = labels[side] - labels[side].mean(axis=0)
        mine = said[side] - said[side].mean(axis=0)
        spread[side] = (weight**2 * own**2).sum(axis=1)
        agree[side] = (weight * mine * own).sum(axis=1) - spread[side]
    rows = np.bincount(unit, minlength=count)[:, None]
    each = sums(agree[:, None], unit, count)
    full = sums(spread[:, None], unit, count)
    shift = sums(rest, unit, count) / rows
    masks = np.vstack([inside[None], dealt]).astype(np.float64)
    low, error = _apart(each, masks)
    apart, _ = _apart(shift, masks)
    share = weight / weight.sum()
    off = (apart**2 * share).sum(axis=1)
    offset = np.sqrt((share * (shift[inside].mean(axis=0) / np.maximum(weight, 1e-3)) ** 2).sum())
    # What few subjects taught errs alike for all rows of a part, which dealing them anew does not show.
    taught = int((~inside).sum())
    learning = 1 + min(pictures.shape[1], taught) / taught
    beside = _beside(pictures, labels, unit, inside, masks)
    return Against(
        seen=seen,
        own=chance(said[here], labels[here], unit[here], weight),
        slope=float(1 + each[inside].sum() / max(full[inside].sum(), 1e-12)),
        low=float(low[0, 0]),
        expected=float(full[inside].mean() / error[0, 0]),
        offset=float(offset),
        off=float(off[0]),
        beside=float(beside[0]),
        null_low=low[1:, 0],
        null_off=off[1:] * learning,
        null_beside=beside[1:],
        worst=np.flatnonzero(here)[np.argsort(agree[here], kind="stable")],
        said=said,
        misfit=np.where(
            weight >= weight.max() / 2,
            (rest[here] ** 2).mean(axis=0) / (rest[there] ** 2).mean(axis=0),
            0,
        ),
    )


def _apart(values: Floats, masks: Floats) -> tuple[Floats, Floats]:
    """Return how many standard errors (m, k) the others' mean lies above that of each mask's subjects.

    Of values (subjects, k) and masks (m, subjects); and the standard errors.
    """
    inside = masks.sum(axis=1, keepdims=True)
    outside = masks.shape[1] - inside
    total, squares = values.sum(axis=0), (values**2).sum(axis=0)
    one, one_squares = masks @ values, masks @ values**2
    mean, other = one / inside, (total - one) / outside
    spread = np.maximum(one_squares / inside - mean**2, 0)
    other_spread = np.maximum((squares - one_squares) / outside - other**2, 0)
    error = np.sqrt(spread / (inside - 1) + other_spread / (outside - 1)) + 1e-12
    return (other - mean) / error, error


def _beside(pictures: Floats, labels: Floats, unit: Indices, inside: Mask, masks: Floats) -> Floats:
    """Return how far (m,) pictures of each mask's subjects lie beside where labels move them.

    What labels do is learned of the others, bent once; in the `PLACES` directions in which pictures of
    one label vary most, each by its own spread.
    """
    count = len(inside)
    rows = np.bincount(unit, minlength=count)[:, None]
    seen, told = sums(pictures, unit, count) / rows, sums(labels, unit, count) / rows
    told = told - told[~inside].mean(axis=0)
    design = np.hstack([np.ones((count, 1)), told, told**2])
    effect = np.linalg.lstsq(design[~inside], seen[~inside], rcond=1e-6)[0]
    rest = seen - design @ effect
    _, values, right = np.linalg.svd(rest[~inside], full_matrices=False)
    kept = (right[values > LEAST * values[0]] / values[values > LEAST * values[0], None])[:PLACES]
    width = labels.shape[1]
    slope = effect[1 : 1 + width] + 2 * effect[1 + width :] * told[inside].mean(axis=0)[:, None]
    along, _ = np.linalg.qr(kept @ slope.T, mode="complete")
    apart, _ = _apart(rest @ kept.T @ along[:, width:], masks)
    return np.asarray((apart**2).sum(axis=1))
