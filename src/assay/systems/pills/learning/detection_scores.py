"""Scores of found boxes: average precision as COCO defines it, precision and recall at one score.

A photograph's boxes stand in one row, six numbers a box: x, y, width, height, score, class; nan where
there is none. Labels have the same form, with score 1, so that a label is what a perfect prediction says.
A detector that knows no classes says nan for the class, and is scored as one that knows pills alone.

Greedy matching, interpolation at 101 recalls, thresholds 0.50:0.05:0.95: Lin et al., ECCV 2014, and the
reference implementation's `cocoeval.py`, re-derived; no crowds, no sizes, all photographs count alike.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

FIELDS = 6  # x, y, width, height, score, class
OVERLAPS = np.arange(10) * 0.05 + 0.5  # intersection over union that a find must reach
RECALLS = np.linspace(0, 1, 101)
USED = 0.3  # score of a box that is shown to somebody


class Matched(NamedTuple):
    """Predictions of one class against the truth.

    Attributes:
        scores: (p,) of all its predicted boxes, photograph after photograph.
        hits: (10, p) whether each takes a true box, by threshold of overlap.
        true: how many true boxes there are.
    """

    scores: Numbers
    hits: Mask
    true: int


def as_boxes(rows: Numbers) -> Numbers:
    """Return rows (n, 6k) as boxes (n, k, 6)."""
    return rows.reshape(len(rows), -1, FIELDS).astype(np.float64)


def overlaps(one: Numbers, other: Numbers) -> Numbers:
    """Return intersection over union (n, k, m) of boxes (n, k, ≥4) and (n, m, ≥4); 0 where one is nan."""
    first, second = one[:, :, None, :4], other[:, None, :, :4]
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    common = np.clip(high - low, 0, None).prod(axis=-1)
    whole = first[..., 2:].prod(axis=-1) + second[..., 2:].prod(axis=-1) - common
    there = np.isfinite(whole) & (whole > 0)
    shares: Numbers = np.where(there, common, 0) / np.where(there, whole, 1)
    return shares


def match_boxes(said: Numbers, true: Numbers) -> Matched:
    """Match boxes (n, k, 6) with true ones (n, m, 6): the surest first, each takes the best one left."""
    order = np.argsort(-said[:, :, 4], axis=1, kind="stable")  # nan last
    ranked = np.take_along_axis(said, order[:, :, None], axis=1)
    shares = overlaps(ranked, true)
    free = np.broadcast_to(np.isfinite(true[:, :, 0]), (len(OVERLAPS), *true.shape[:2])).copy()
    hits = np.zeros((len(OVERLAPS), *ranked.shape[:2]), dtype=bool)
    for place in range(ranked.shape[1] if true.shape[1] else 0):
        own = np.where(free, shares[:, place], -1)
        best = own.argmax(axis=2)[:, :, None]
        took = np.take_along_axis(own, best, axis=2) >= OVERLAPS[:, None, None] - 1e-9
        hits[:, :, place] = took[:, :, 0]
        left = np.take_along_axis(free, best, axis=2) & ~took
        np.put_along_axis(free, best, left, axis=2)
    there = np.isfinite(ranked[:, :, 4])
    return Matched(ranked[:, :, 4][there], hits[:, there], int(np.isfinite(true[:, :, 0]).sum()))


def match_by_class(predictions: Numbers, labels: Numbers) -> list[Matched]:
    """Match rows (n, 6k) with rows (n, 6m), class by class of the labels; all as one without classes."""
    said, true = as_boxes(predictions), as_boxes(labels)
    if not np.isfinite(said[:, :, 5]).any():
        return [match_boxes(said, true)]
    classes = np.unique(true[:, :, 5][np.isfinite(true[:, :, 0])])
    return [match_boxes(_only(said, each), _only(true, each)) for each in classes]


def curve(found: Matched, threshold: int = 0) -> tuple[Numbers, Numbers]:
    """Return recall (p,) and precision (p,), the surest prediction first; precision never rises."""
    order = np.argsort(-found.scores, kind="stable")
    right = np.cumsum(found.hits[threshold][order])
    recall = right / max(found.true, 1)
    precision = right / np.arange(1, len(order) + 1)
    return recall, np.maximum.accumulate(precision[::-1])[::-1]


def average_precision(found: Matched, threshold: int) -> float:
    """Return the mean precision at 101 recalls; nan where nothing is there to be found."""
    if not found.true:
        return float("nan")
    recall, precision = curve(found, threshold)
    reached = np.searchsorted(recall, RECALLS, side="left")
    return float(np.append(precision, 0.0)[reached].mean())


def detection_scores(predictions: Numbers, labels: Numbers) -> dict[str, float]:
    """Return mAP and, of boxes with a score of 0.3 or more at overlap 0.5, precision, recall and F1.

    `whole` is the share of photographs on which every pill is found, and nothing beside.

    Args:
        predictions: (n, 6k).
        labels: (n, 6m), in the same px.
    """
    found = match_by_class(predictions, labels)
    table = np.array(
        [[average_precision(each, place) for place in range(len(OVERLAPS))] for each in found]
    ).reshape(-1, len(OVERLAPS))
    known = table[np.isfinite(table).all(axis=1)]
    means = known.mean(axis=0) if len(known) else np.full(len(OVERLAPS), np.nan)
    return {"map50": float(means[0]), "map50_95": float(means.mean())} | _used(predictions, labels)


def _used(predictions: Numbers, labels: Numbers) -> dict[str, float]:
    """Return what somebody sees who is shown the boxes above the score in use."""
    said = as_boxes(predictions)
    said = np.where(said[:, :, 4:5] >= USED, said, np.nan)
    flat = said.reshape(len(said), -1)
    found = match_by_class(flat, labels)
    right = sum(int(each.hits[0].sum()) for each in found)
    shown = int(np.isfinite(said[:, :, 4]).sum())
    true = int(np.isfinite(as_boxes(labels)[:, :, 0]).sum())
    return {
        "precision": right / shown if shown else 0.0,
        "recall": right / true if true else float("nan"),
        "f1": 2 * right / (shown + true) if shown + true else float("nan"),
        "whole": float((photograph_f1(flat, labels) == 1).mean()),
    }


def photograph_f1(predictions: Numbers, labels: Numbers) -> Numbers:
    """Return F1 (n,) of each photograph's boxes, at overlap 0.5; 1 where none is there and none said."""
    said, true = as_boxes(predictions), as_boxes(labels)
    if np.isfinite(said[:, :, 5]).any():
        same = said[:, :, None, 5] == true[:, None, :, 5]
    else:
        same = np.ones((*said.shape[:2], true.shape[1]), dtype=bool)
    shares = np.where(same, overlaps(said, true), 0)
    right = np.array([_pairs(each, order) for each, order in zip(
        shares, np.argsort(-said[:, :, 4], axis=1, kind="stable"), strict=True)])  # fmt: skip
    count = np.isfinite(said[:, :, 4]).sum(axis=1) + np.isfinite(true[:, :, 0]).sum(axis=1)
    scores: Numbers = np.where(count, 2 * right / np.maximum(count, 1), 1.0)
    return scores


def _pairs(shares: Numbers, order: Numbers) -> int:
    """Count the matches of one photograph, the surest box first."""
    left = shares.copy()
    right = 0
    for place in order:
        best = int(left[place].argmax()) if left.shape[1] else 0
        if left.shape[1] and left[place, best] >= OVERLAPS[0] - 1e-9:
            right += 1
            left[:, best] = 0
    return right


def _only(boxes: Numbers, number: float) -> Numbers:
    """Return boxes (n, k, 6) with nan for those of other classes."""
    kept: Numbers = np.where(boxes[:, :, 5:6] == number, boxes, np.nan)
    return kept
