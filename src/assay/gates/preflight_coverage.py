"""Preflight of coverage: what is to be learned stands in training, and what is scored in validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.contract.checks import Check
from assay.gates.preflight_labels import row_ids
from assay.learning.targets import Classes, Joint, Values, target_points

if TYPE_CHECKING:
    from assay.learning.targets import Kind, Points
    from assay.learning.training_spec import TrainData

BEYOND = 0.05  # of the training labels' range: how far a validation label may lie outside


def judge_coverage(kind: Kind, train: TrainData, valid: TrainData) -> list[Check]:
    """Return the check, of points and classes one each; none for points that are never absent."""
    if isinstance(kind, Joint):
        spots = [replace(part, targets=target_points(part.targets)) for part in (train, valid)]
        grades = [replace(part, targets=part.targets[:, -1]) for part in (train, valid)]
        points, classes = _points(kind.points, *spots), _classes(kind.classes, *grades)
        return [points, replace(classes, name="coverage of classes")]
    if isinstance(kind, Classes):
        return [_classes(kind, train, valid)]
    if isinstance(kind, Values):
        return [_overlap(kind, train, valid)]
    return [_points(kind, train, valid)] if kind.gaps else []


def _classes(kind: Classes, train: TrainData, valid: TrainData) -> Check:
    there = [np.isin(np.arange(len(kind.names)), part.targets) for part in (train, valid)]
    check = _listed("classes", kind.names, there, len(train.targets) + len(valid.targets))
    if not kind.gaps:
        return check
    expected = "a class that training or validation lacks is told, and keeps its index"
    return replace(check, passed=True, expected=expected, mend="")


def _points(kind: Points, train: TrainData, valid: TrainData) -> Check:
    """A point that the whole source never has is masked, and told; in one part alone it is a fault."""
    seen = (np.isfinite(part.targets).all(axis=2) for part in (train, valid))
    there = [np.asarray(each.any(axis=0)) for each in seen]
    anywhere = there[0] | there[1]
    names = tuple(np.asarray(kind.names)[anywhere].tolist())
    count = len(train.targets) + len(valid.targets)
    check = _listed("points", names, [mask[anywhere] for mask in there], count)
    if anywhere.all():
        return check
    nowhere = ", ".join(np.asarray(kind.names)[~anywhere])
    return replace(check, found=f"{check.found}; nowhere, and not learned: {nowhere}")


def _listed(what: str, names: tuple[str, ...], there: Sequence[Any], count: int) -> Check:
    """Every name is needed in both parts: unseen it is not learned, untested it is not known."""
    rows = [
        {"part": part, "missing": name}
        for part, mask in zip(("train", "validation"), there, strict=True)
        for name, is_there in zip(names, mask, strict=True)
        if not is_there
    ]
    seen = [f"{int(mask.sum())} of {len(names)} {what}" for mask in there]
    found = f"{seen[0]} in train, {seen[1]} in validation"
    if rows:
        found += "; without " + ", ".join(f"{row['missing']} in {row['part']}" for row in rows[:5])
    expected = f"all {what} in train and in validation"
    mend = "fewer folds, another fold, or leave out what is too rare to be judged"
    return Check("coverage", not rows, expected, found, count, rows, mend if rows else "")


def _overlap(kind: Values, train: TrainData, valid: TrainData) -> Check:
    """Count validation labels that training has nothing near; it stops only where all are such."""
    low, high = train.targets.min(axis=0), train.targets.max(axis=0)
    margin = BEYOND * (high - low)
    beyond = (valid.targets < low - margin) | (valid.targets > high + margin)
    outside = np.flatnonzero(beyond.reshape(len(beyond), -1).any(axis=1))
    ranges = [f"{part.targets.min():.4g}–{part.targets.max():.4g}" for part in (train, valid)]
    found = (
        f"train {ranges[0]}, validation {ranges[1]} {kind.unit}".rstrip()
        + f"; {len(outside)} of {len(valid.targets)} validation rows beyond by over {BEYOND:.0%}"
    )
    expected = "validation labels within the range of the training labels; not all beyond"
    fits = len(outside) < len(valid.targets)
    return Check("coverage", fits, expected, found, len(valid.targets), row_ids(valid, outside))
