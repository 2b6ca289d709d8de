"""The metrics of the landmark task: of points, of how sure the network is, of the stage beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from assay.learning.vision.classes import as_classes, middle_classes
from assay.learning.vision.scores import class_scores, landmark_scores, radial_errors
from assay.systems.ceph.tasks import points
from assay.systems.ceph.tasks.names import STAGES

Numbers = npt.NDArray[Any]


def scores(predictions: Numbers, labels: Numbers) -> dict[str, float]:
    """Return every metric by name.

    `mre_…`, `sdr_…` are to the target; `senior_…`, `junior_…` to each reader; `readers_…` lies between
    the two. `uncertainty_rank` where the network says how sure it is, `cvm_…` where it says a stage.

    Args:
        predictions: (n, 58), (n, 64) or (n, 87), px of the film; see `points.said`.
        labels: (n, 176), what `points.labels` gave.
    """
    true, found = points.split_labels(labels), points.said(predictions)
    told = landmark_scores(found.points, true.target, true.spacing)
    for name, one, other in (
        ("senior", found.points, true.senior), ("junior", found.points, true.junior),
        ("readers", true.senior, true.junior),
    ):  # fmt: skip
        apart = landmark_scores(one, other, true.spacing)
        told |= {
            f"{name}_{unit}": apart[f"mre_{unit}"]
            for unit in ("px", "mm")
            if f"mre_{unit}" in apart
        }
    if found.doubt is not None:
        errors = radial_errors(found.points, true.target)
        told["uncertainty_rank"] = rank_correlation(found.doubt, errors)
    if found.probabilities is not None:
        said = middle_classes(found.probabilities)
        stages = class_scores(said, as_classes(true.stage), len(STAGES))
        told |= {f"cvm_{name}": value for name, value in stages.items()}
    return told


def rank_correlation(doubt: Numbers, errors: Numbers) -> float:
    """Return Spearman's correlation of two arrays, of what both know; nan where one is constant."""
    known = np.isfinite(errors) & np.isfinite(doubt)
    one, other = doubt[known], errors[known]
    if len(one) < 2 or not np.ptp(one) or not np.ptp(other):
        return float("nan")
    return float(spearmanr(one, other).statistic)
