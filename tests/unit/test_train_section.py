"""The knobs of the one training loop: in the file, in older records, and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay.errors import ParamsError
from assay.lookup import find_task
from assay.params import read_all, read_params
from assay.search.plan import plan_study
from assay.sections.machine import Machine, Runtime
from assay.values import typed

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "name", ["ceph-cvm", "ceph-landmarks", "hemoglobin-conjunctiva", "hemoglobin-nail"]
)
def test_every_knob_stands_in_the_file(name: str) -> None:
    """Some have a default, for older records; `-S` sets what stands in the file alone."""
    content = read_params(ROOT / "params.yaml")
    kind = find_task(name).params.model_fields["train"].annotation
    assert set(content[name]["train"]) == set(kind.model_fields) - set(Machine.model_fields)
    assert set(content["machine"]) == set(Machine.model_fields)
    assert set(content["runtime"]) == set(Runtime.model_fields)
    train = typed(content, name, find_task(name).params).train
    assert (
        train.accumulate_grad_batches,
        train.plateau_patience,
        train.early_stopping_patience,
    ) == (1, "none", "none")
    assert (train.device, train.precision, train.threads) == ("cpu", "32-true", 1)


def test_a_record_without_the_later_knobs_is_read() -> None:
    whole = read_params(ROOT / "params.yaml")
    content, kind = whole["ceph-cvm"], find_task("ceph-cvm").params
    later = (
        "accumulate_grad_batches",
        "plateau_patience",
        "plateau_factor",
        "early_stopping_patience",
    )
    older = {key: value for key, value in content["train"].items() if key not in later}
    both = [
        typed(whole | {"x": content | {"train": each}}, "x", kind)
        for each in (content["train"], older)
    ]
    assert both[0] == both[1]


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("accumulate_grad_batches", 0), ("plateau_factor", 1.0), ("plateau_factor", 0.0),
        ("plateau_patience", -1), ("plateau_patience", "off"), ("early_stopping_patience", 0),
        ("early_stopping_patience", True), ("early_stopping_patience", 2.5),
    ],
)  # fmt: skip
def test_impossible_values_are_refused(knob: str, value: Any) -> None:
    content = read_params(ROOT / "params.yaml")
    content["ceph-cvm"]["train"][knob] = value
    with pytest.raises(ParamsError) as raised:
        typed(content, "ceph-cvm", find_task("ceph-cvm").params)
    assert f"-S 'ceph-cvm.train.{knob}=…'" in str(raised.value)


def test_a_study_goes_by_the_machine_and_not_by_the_runtime() -> None:
    content = read_all(ROOT)
    digest = plan_study(content, "ceph-cvm", "classes", {}).digest
    content["runtime"]["num_workers"] = 8
    assert plan_study(content, "ceph-cvm", "classes", {}).digest == digest
    content["machine"]["threads"] = 2
    assert plan_study(content, "ceph-cvm", "classes", {}).digest != digest
