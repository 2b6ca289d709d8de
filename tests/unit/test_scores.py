"""Scores as files: the table holds all of them exactly, and DVC is given four."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from assay.errors import AssayError
from assay.runs.scores import as_table, read_scores, write_scores

SCORES: dict[str, Any] = {
    "mae": {"value": 0.1 + 0.2, "low": 1e-300, "high": 1.0},
    "r2": {"value": -0.5, "low": math.nan, "high": math.nan},
    "skill": {"value": 0.25, "low": 0.125, "high": 0.5},
    "baseline": {"mae": 1 / 3, "r2": 0.0, "rmse": 2.0},
    "groups": 12, "rows": 20, "metrics_version": 1, "best_of": 24, "unseen_share": 0.0,
}  # fmt: skip


def test_the_table_gives_back_every_number(tmp_path: Path) -> None:
    write_scores(tmp_path, SCORES, "nail", "mae")
    read = read_scores(tmp_path / "scores.csv")
    assert repr(dict(sorted(read.items()))) == repr(dict(sorted(SCORES.items())))  # nan among them
    assert as_table(read).splitlines()[0] == "metric,value,low,high,baseline"
    assert f"mae,{0.1 + 0.2!r},1e-300,1.0,{1 / 3!r}" in as_table(SCORES)
    assert "groups,12,,," in as_table(SCORES)


@pytest.mark.parametrize(
    ("written", "damaged", "found"),
    [
        ("mae,0.3", "mae,good", "could not convert string to float: 'good"),
        ("1e-300,1.0", ",1.0", "could not convert string to float: ''"),
        ("groups,12", "groups,dozen", "'dozen'"),
        ("rows,20,,,\n", "", "no rows"),
        ("metrics_version,1,,,\n", "", "no metrics_version"),
        ("metric,value", "name,value", "'metric'"),
        ("0.125,0.5,", "0.125", "not 'NoneType'"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, written: str, damaged: str, found: str) -> None:
    table = as_table(SCORES)
    assert written in table
    (tmp_path / "scores.csv").write_text(table.replace(written, damaged, 1))
    with pytest.raises(AssayError, match=found) as told:
        read_scores(tmp_path / "scores.csv")
    assert told.value.where == str(tmp_path / "scores.csv")
    (tmp_path / "scores.csv").write_text("")
    with pytest.raises(AssayError, match="no groups, metrics_version, rows"):
        read_scores(tmp_path / "scores.csv")


def test_dvc_is_given_the_headline_and_the_skill(tmp_path: Path) -> None:
    write_scores(tmp_path, SCORES, "nail", "mae")
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "nail_mae": 0.1 + 0.2, "nail_low": 1e-300, "nail_high": 1.0, "skill": 0.25,
    }  # fmt: skip
