"""Each fault of the founding years, planted, and caught."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assay.contract.checks import Check
from assay.errors import GateError
from assay.gates.expectations import judge_expectations
from assay.gates.labels import common, judge_labels
from assay.gates.leakage import judge_leakage, similar_groups, unsought
from assay.gates.verdict import Verdict
from assay.lookup import find_system
from assay.runs.files import read_json

RULES = find_system("hemoglobin.conjunctiva").rules()
[SCHEMA] = [rule for rule in common("hb") if rule.name == "schema"]


def manifest(**columns: list[Any]) -> pl.DataFrame:
    count = 8
    table = {
        "sample_id": [f"s{i}" for i in range(count)],
        "uri": [f"s{i}.png" for i in range(count)],
        "item": [0] * count,
        "group": [f"g{i}" for i in range(count)],
        "group_id": [f"g{i}" for i in range(count)],
        "subset": ["one"] * count,
        "format": ["PNG"] * count,
        "digest": [f"d{i}" for i in range(count)],
        "hb": [9.0 + i / 2 for i in range(count)],
        "status": ["ok"] * count,
        "reason": [""] * count,
    }
    return pl.DataFrame(table | columns)


def failed(table: pl.DataFrame, policy: str = "stop", share: float = 0.0) -> dict[str, Check]:
    checks = judge_labels(table, "hb", RULES, policy, share, "hemoglobin.conjunctiva")
    assert {"broken", "identical images", "hb_plausible", "sample_unique"} <= {
        check.name for check in checks
    }
    return {check.name: check for check in checks if not check.passed}


def test_a_clean_manifest_passes() -> None:
    assert failed(manifest()) == {}


def test_grams_per_litre_are_caught_even_when_the_filter_took_them_out() -> None:
    values = [9.0, 10, 11, 12, 13, 14, 112.0, 96.0]
    statuses = ["ok"] * 6 + ["filtered"] * 2
    caught = failed(manifest(hb=values, status=statuses))
    assert set(caught) == {"hb_plausible"}
    assert [row["sample_id"] for row in caught["hb_plausible"].rows] == ["s6", "s7"]


def test_one_image_with_two_labels_is_caught_and_named() -> None:
    digests = ["same", "same", *(f"d{i}" for i in range(6))]
    caught = failed(manifest(digest=digests))["identical images"]
    assert "1 groups of identical images (2 rows), 1 with different hb" in caught.found
    assert "s0 9 / s1 9.5" in caught.found
    assert "policy.conflict=drop" in caught.mend


def test_one_image_twice_with_one_label_is_no_conflict() -> None:
    digests = ["same", "same", *(f"d{i}" for i in range(6))]
    assert failed(manifest(digest=digests, hb=[9.0, 9.0, 10, 11, 12, 13, 14, 15])) == {}


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"sample_id": ["s0", "s0", "s2", "s3", "s4", "s5", "s6", "s7"]}, "sample_unique"),
        ({"group_id": [None, *(f"g{i}" for i in range(7))]}, "group_present"),
        ({"status": ["broken"] + ["ok"] * 7}, "broken"),
        ({"digest": [None, *(f"d{i}" for i in range(7))]}, "digest_present"),
        ({"group": ["f2: Unknown", *(f"g{i}" for i in range(7))]}, "group_named"),
        ({"group": ["N/A", *(f"g{i}" for i in range(7))]}, "group_named"),
        ({"group_id": ["p"] * 5 + ["g5", "g6", "g7"]}, "group sizes"),
        ({"hb": [9.5] * 8}, "label_varies"),
        ({"hb": [5.6, 5.1, 5.3, 4.9, 5.5, 5.2, 6.1, 5.7]}, "hb_median one"),
    ],
)
def test_other_faults_are_caught(columns: dict[str, Any], name: str) -> None:
    assert set(failed(manifest(**columns))) == {name}


def test_a_table_in_another_unit_is_caught_beside_a_sound_one() -> None:
    """Every value alone is possible; the median of its table is not."""
    hb = [12.0, 13, 14, 15, 5.1, 4.9, 5.6, 5.2]
    caught = failed(manifest(hb=hb, subset=["sound"] * 4 + ["other"] * 4))
    assert set(caught) == {"hb_median other"}


def test_a_missing_column_is_caught() -> None:
    checks = judge_expectations([SCHEMA], manifest().drop("item"))
    assert [check.passed for check in checks] == [False]


def test_a_few_broken_files_are_allowed_up_to_the_declared_share() -> None:
    table = manifest(status=["broken"] + ["ok"] * 7)
    assert failed(table, share=0.125) == {}


def placed(fold: list[int], split: list[str] | None = None) -> pl.DataFrame:
    names = [f"s{i}" for i in range(8)]
    parts = split or ["test" if number < 0 else "trainval" for number in fold]
    return pl.DataFrame({"sample_id": names, "split": parts, "fold": fold})


NO_PAIRS = pl.DataFrame(
    schema={
        "sample_a": pl.String,
        "sample_b": pl.String,
        "inliers": pl.Int64,
        "mirrored": pl.Boolean,
    }
)


def leaks(
    table: pl.DataFrame, splits: pl.DataFrame, similar: pl.DataFrame = NO_PAIRS
) -> dict[str, Check]:
    checks = judge_leakage(table, splits, similar, "set")
    return {check.name: check for check in checks if not check.passed}


FOLDS = [-1, -1, 0, 0, 1, 1, 2, 2]


def test_a_clean_split_passes() -> None:
    assert leaks(manifest(), placed(FOLDS)) == {}


def test_a_patient_in_training_and_test_is_caught() -> None:
    groups = ["p", "g1", "p", *(f"g{i}" for i in range(3, 8))]
    caught = leaks(manifest(group_id=groups), placed(FOLDS))
    assert set(caught) == {"groups"}
    assert "p in fold 0 and test" in caught["groups"].found


def test_a_patient_spelt_in_two_ways_is_caught() -> None:
    names = ["P 12", "g1", "p12 ", *(f"g{i}" for i in range(3, 8))]
    caught = leaks(manifest(group=names), placed(FOLDS))
    assert set(caught) == {"group names but for blanks and case"}


def test_a_copy_across_the_split_is_caught_and_the_way_out_is_printed() -> None:
    pairs = NO_PAIRS.vstack(
        pl.DataFrame(
            [("s0", "s5", 40, True), ("s2", "s3", 30, False)], NO_PAIRS.schema, orient="row"
        )
    )
    caught = leaks(manifest(), placed(FOLDS), pairs)["similar images"]
    assert "1 of 2 near-identical pairs in two parts, e.g. s0 in test, s5 in fold 1" in caught.found
    assert caught.mend == "dvc exp run -S set.policy.similar=group"


def test_a_patient_in_two_folds_is_caught() -> None:
    groups = [*(f"g{i}" for i in range(5)), "p", "p", "g7"]
    assert set(leaks(manifest(group_id=groups), placed(FOLDS))) == {"groups"}


def test_an_identical_image_in_two_parts_is_caught() -> None:
    digests = ["x", *(f"d{i}" for i in range(1, 7)), "x"]
    assert set(leaks(manifest(digest=digests), placed(FOLDS))) == {"identical images"}


def test_a_row_that_is_not_placed_is_caught() -> None:
    assert set(leaks(manifest(), placed(FOLDS).head(7))) == {"every row placed once"}


def test_a_failed_gate_leaves_its_verdict_and_says_where(tmp_path: Path) -> None:
    check = Check("rows", False, "none", "1 of 2", 2, ["s1"], "do this")
    with pytest.raises(GateError, match=r"rows: 1 of 2[\s\S]*labels.json · do this"):
        Verdict("labels", "toy", [check]).write_and_raise(tmp_path / "labels.json")
    bare = [Check("faces", False, "faces", "none", 2), Check("points", False, "points", "none", 2)]
    with pytest.raises(GateError) as caught:
        Verdict("labels", "toy", [check, *bare], mend="mend it").write_and_raise(
            tmp_path / "l.json"
        )
    assert caught.value.mend.endswith("· do this; mend it")
    verdict = read_json(tmp_path / "labels.json")
    assert verdict["passed"] is False
    assert verdict["checks"][0]["rows"] == ["s1"]


def test_a_set_that_was_not_searched_says_so_and_passes() -> None:
    """A search that was switched off: nothing is refused, but told."""
    splits = placed(FOLDS)
    checks = {
        each.name: each for each in judge_leakage(manifest(), splits, NO_PAIRS, "set", "none")
    }
    told = checks["similar images"]
    assert told.passed
    assert "NOT LOOKED FOR" in told.found
    assert "NOT LOOKED FOR" in similar_groups(NO_PAIRS, "none").found
    said = {"checks": [asdict(each) for each in checks.values()]}
    assert "similar images NOT LOOKED FOR" in unsought(said)
    looked = {each.name: each for each in judge_leakage(manifest(), splits, NO_PAIRS, "set")}
    assert "NOT LOOKED FOR" not in looked["similar images"].found
    assert unsought({"checks": [asdict(each) for each in looked.values()]}) == ""
