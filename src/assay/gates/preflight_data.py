"""Preflight of the data: images, labels, and the way back from targets to labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.contract.checks import Check
from assay.gates.preflight_coverage import judge_coverage
from assay.gates.preflight_labels import form, label_faults, row_ids
from assay.learning.targets import Classes, Joint, Points, Values
from assay.learning.training_spec import TrainData

if TYPE_CHECKING:
    from assay.learning.targets import Kind
    from assay.learning.training_spec import TrainingSpec

POINT_TOLERANCE = 0.01  # px of the labels
VALUE_TOLERANCE = 1e-6  # of the value, and of the physical range: float32 keeps 6e-8

Parts = Mapping[str, TrainData]


def judge_data(spec: TrainingSpec, train: TrainData, valid: TrainData) -> list[Check]:
    """Return the checks of both sets; what rests on sound labels only where they are."""
    parts = {"train": train, "validation": valid}
    checks = [_images(parts), _labels(spec, parts)]
    if all(check.passed for check in checks):
        checks += [_codec(spec.targets, parts), *judge_coverage(spec.targets, train, valid)]
    return checks


def _images(parts: Parts) -> Check:
    shapes = [(name, tuple(part.images.shape)) for name, part in parts.items()]
    fits = all(
        part.images.dtype == np.uint8
        and part.images.ndim in (4, 5)
        and part.images.shape[-1] in (1, 3)
        and part.images.shape[1:] == parts["train"].images.shape[1:]
        and len(part.images) == len(part.targets) > 0
        for part in parts.values()
    )
    kinds = "/".join(sorted({str(part.images.dtype) for part in parts.values()}))
    found = ", ".join(f"{name} {shape}" for name, shape in shapes) + f", {kinds}"
    expected = "uint8 (n, h, w, 1 or 3) or (n, views, h, w, 1 or 3), one target each, none empty"
    return Check("images", fits, expected, found, sum(len(part.images) for part in parts.values()))


def _labels(spec: TrainingSpec, parts: Parts) -> Check:
    """Hold the targets against what the plan says they are: dtype, shape, finite, range, varied."""
    found, rows, mends = [], [], []
    for name, part in parts.items():
        for fault in label_faults(spec, part):
            found.append(f"{name} {fault.found}")
            mends += [fault.mend] if fault.mend and fault.mend not in mends else []
            ids, values = row_ids(part, fault.rows), part.targets[fault.rows].tolist()
            rows += [
                {"part": name, "row": row, "target": value}
                for row, value in zip(ids, values, strict=True)
            ]
    expected = form(spec.targets)
    count = sum(len(part.targets) for part in parts.values())
    passed = "; ".join(found) or f"{count} as stated: {expected}"
    return Check("labels", not found, expected, passed, count, rows, "; ".join(mends))


def _codec(kind: Kind, parts: Parts) -> Check:
    """Decode the targets: they must be the labels again, which rounding anywhere would prevent."""
    expected = "labels → targets → labels changes nothing" + (
        f" beyond {POINT_TOLERANCE} px" if isinstance(kind, Points | Joint) else ""
    )
    count = sum(len(part.targets) for part in parts.values())
    rows: list[Any] = []
    for name, part in parts.items():
        if part.labels is None:
            mend = "Set(images, targets, labels=…): what the manifest says, not what was made of it"
            return Check("codec", False, expected, f"{name} has no labels beside", 0, (), mend)
        back = (part.decode or kind.decode)(part.targets)
        if part.labels.size != back.size:
            found = f"{name} labels {part.labels.shape}, decoded {back.shape}"
            return Check("codec", False, expected, found, count)
        labels = part.labels.reshape(back.shape)
        changed = np.flatnonzero(_changed(kind, labels, back).reshape(len(back), -1).any(axis=1))
        rows += [
            {"part": name, "row": row, "label": label, "decoded": decoded}
            for row, label, decoded in zip(
                row_ids(part, changed),
                labels[changed].tolist(),
                back[changed].tolist(),
                strict=True,
            )
        ]
    found = f"{len(rows)} of {count} changed"
    if rows:
        found += f", e.g. {rows[0]['row']}: {rows[0]['label']} became {rows[0]['decoded']}"
    return Check("codec", not rows, expected, found, count, rows)


def _changed(kind: Kind, labels: npt.NDArray[Any], back: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if isinstance(kind, Classes):
        differ: npt.NDArray[Any] = labels.astype(str) != back.astype(str)
        return differ
    relative, bound = 0.0, POINT_TOLERANCE
    if isinstance(kind, Values):
        relative, bound = VALUE_TOLERANCE, VALUE_TOLERANCE * (kind.high - kind.low)
    near = np.isclose(back.astype("float64"), labels, relative, bound, equal_nan=True)
    if isinstance(kind, Joint):  # a class is the same one, or another
        near[:, -1] &= (back[:, -1] == labels[:, -1]) | np.isnan(labels[:, -1].astype("float64"))
    return np.asarray(~near)
