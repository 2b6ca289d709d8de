"""Preflight of the data: images, labels, and the way back from targets to labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.contract.checks import Check
from assay.gates.preflight_calls import calling
from assay.gates.preflight_labels import form, label_faults, row_ids

if TYPE_CHECKING:
    from assay.learning.targets import Target
    from assay.learning.training_spec import TrainData, TrainingSpec

LED_BACK = (
    "TrainData.decode: how targets (n, …) become labels again; or TrainData.labels: what they"
    " must become, as the manifest has them"
)

Parts = Mapping[str, "TrainData"]


def judge_data(spec: TrainingSpec, train: TrainData, valid: TrainData) -> Iterator[Check]:
    """Yield the checks of both sets; what rests on sound labels only where they are."""
    parts = {"train": train, "validation": valid}
    checks = [_images(parts), _labels(spec, parts)]
    if any(part.covariates is not None for part in parts.values()):
        checks.append(_covariates(parts))
    yield from checks
    if all(check.passed for check in checks):
        yield _codec(spec.targets, parts)
        yield from spec.targets.coverage(train.targets, valid.targets, row_ids(valid))


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
    mend = ""
    if not fits:
        found += "; targets " + ", ".join(f"{name} {len(p.targets)}" for name, p in parts.items())
        mend = "TrainData.images as the rows have them, and TrainData.targets, one each"
    count = sum(len(part.images) for part in parts.values())
    return Check("images", fits, expected, found, count, mend=mend)


def _covariates(parts: Parts) -> Check:
    """Numbers for every row: one that is absent would make the loss of its batch nan."""
    fed = [np.asarray(part.covariates) for part in parts.values()]
    wanted = [(len(part.targets), *fed[0].shape[1:]) for part in parts.values()]
    fits = fed[0].ndim == 2 and [each.shape for each in fed] == wanted
    fits = fits and all(each.dtype == np.float32 and np.isfinite(each).all() for each in fed)
    found = ", ".join(
        f"{name} {each.dtype} {each.shape}" for name, each in zip(parts, fed, strict=True)
    )
    expected = "finite float32 (n, k), a row of numbers for each"
    return Check("covariates", bool(fits), expected, found, sum(count for count, *_ in wanted))


def _labels(spec: TrainingSpec, parts: Parts) -> Check:
    """Hold the targets against what the plan says they are: dtype, shape, finite, range, varied."""
    found, rows, mends = [], [], []
    for name, part in parts.items():
        for fault in label_faults(spec, part):
            found.append(f"{name} {fault.found}")
            mends += [fault.mend] if fault.mend and fault.mend not in mends else []
            ids, values = row_ids(part)[fault.rows].tolist(), part.targets[fault.rows].tolist()
            rows += [
                {"part": name, "row": row, "target": value}
                for row, value in zip(ids, values, strict=True)
            ]
    expected = form(spec.targets)
    count = sum(len(part.targets) for part in parts.values())
    passed = "; ".join(found) or f"{count} as stated: {expected}"
    if found:
        stated = type(spec.targets).__name__
        mends.append(f"TrainData.targets, or TrainingSpec.targets, which says {stated}")
    return Check("labels", not found, expected, passed, count, rows, "; ".join(mends))


def _codec(kind: Target, parts: Parts) -> Check:
    """Decode the targets: they must be the labels again, which rounding anywhere would prevent."""
    expected = f"labels → targets → labels changes nothing{kind.tolerance}"
    count = sum(len(part.targets) for part in parts.values())
    rows: list[Any] = []
    told = ""
    for name, part in parts.items():
        if part.labels is None:
            mend = "TrainData.labels: what the manifest says, not what was made of it"
            return Check("codec", False, expected, f"{name} has no labels beside", 0, (), mend)
        decoder = _decoder(kind, part)
        with calling("codec", decoder, expected, count):
            back = np.asarray((part.decode or kind.decode)(part.targets))
        forms = f"{name} labels {_form(part.labels)}, {decoder} gives {_form(back)}"
        if part.labels.size != back.size:
            return Check("codec", False, expected, forms, count, (), LED_BACK)
        labels = part.labels.reshape(back.shape)
        with calling("codec", f"TrainData.labels ({forms})", expected, count):
            differ = np.asarray(kind.changed(labels, back)).reshape(len(back), -1)
        changed = np.flatnonzero(differ.any(axis=1))
        three = (row_ids(part)[changed], labels[changed], back[changed])
        rows += [
            {"part": name, "row": row, "label": label, "decoded": decoded}
            for row, label, decoded in zip(*(each.tolist() for each in three), strict=True)
        ]
        if rows and not told:
            first = rows[0]
            told = f", e.g. {first['row']}: {first['label']} became {first['decoded']} ({forms})"
    found = f"{len(rows)} of {count} changed{told}"
    return Check("codec", not rows, expected, found, count, rows, LED_BACK if rows else "")


def _decoder(kind: Target, part: TrainData) -> str:
    """Return what leads targets back: the set's own, or else the kind's."""
    stated = f"TrainingSpec.targets ({type(kind).__name__}.decode)"
    return stated if part.decode is None else "TrainData.decode"


def _form(array: npt.NDArray[Any]) -> str:
    return f"{array.dtype} {array.shape}"
