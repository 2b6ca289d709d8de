"""Every label fault that was found in the wild, planted: each is named, and too many stop."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.pills_set import FAULTS, PILLS, edit, faults_of, labels, made, manifest, phantom_params

from assay.contract.checks import Check
from assay.gates.labels import judge_labels
from assay.manifest.index import BROKEN, OK
from assay.systems.pills.data import checks
from assay.systems.pills.data.phantom import shots

PLANTED = {
    "outside": "box outside the image: ",
    "doubled": "one box under two drugs",
    "missing": "codes differ: named ",
    "empty": "box without area: ",
    "unlabelled": "photograph without a label",
    "imageless": "label without a photograph",
    "truncated": "label: not JSON: Input data was truncated",
    "unknown": "unknown class: 'K-16548'",
}


def gate(table: pl.DataFrame, limit: float) -> dict[str, Check]:
    checked = judge_labels(table, PILLS.target, PILLS.rules(), "stop", limit, PILLS.name)
    return {check.name: check for check in [*checked, *PILLS.checks(table)]}


def failed(table: pl.DataFrame, limit: float = 0.02) -> set[str]:
    return {name for name, check in gate(table, limit).items() if not check.passed}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    root = tmp_path_factory.mktemp("pills")
    return manifest(made(root / "set"), root)[0]


def test_a_sound_set_passes(sound: pl.DataFrame) -> None:
    assert failed(sound, 0.0) == set()
    assert (sound["status"] == OK).all()


@pytest.mark.parametrize("fault", PLANTED)
def test_each_fault_is_named_on_its_photograph_alone(fault: str, tmp_path: Path) -> None:
    found = faults_of(made(tmp_path / "set", **{fault: 2}))
    assert len(found) == 2
    assert all(reason.startswith(PLANTED[fault]) for reason in found.values())
    known = {f"{shot.stem}.png" for shot in shots(phantom_params())}
    assert {name.replace(".json", ".png") for name in found} <= known


def test_all_faults_at_once_stop_and_are_counted(tmp_path: Path) -> None:
    planted = dict.fromkeys([*PLANTED, "broken"], 1)
    table, _ = manifest(made(tmp_path / "set", **planted), tmp_path)
    broken = table.filter(pl.col("status") == BROKEN)
    assert len(broken) == len(planted)
    told = gate(table, 0.02)
    assert not told["broken"].passed
    assert {name for name, check in told.items() if not check.passed} == {"broken"}
    assert told["label faults"].found.count("1 ×") == 9
    # Below the limit they are left out, and nothing else.
    assert failed(table, 0.2) == set()
    assert set(FAULTS) >= set(planted)


@pytest.mark.parametrize(("count", "stops"), [(1, False), (2, True)])
def test_more_than_max_broken_share_stops(count: int, stops: bool, tmp_path: Path) -> None:
    table, _ = manifest(made(tmp_path / "set", truncated=count), tmp_path)
    assert ("broken" in failed(table, 1.5 / len(table))) == stops


def test_labels_that_disagree_with_their_photograph(tmp_path: Path) -> None:
    folder = made(tmp_path / "set")
    combo, single = labels(folder, "*combo*/*/*/*")[0], labels(folder, "*TL_1_single/*/*")
    edit(combo, lambda told: told["images"][0].update(width=63))
    edit(single[0], lambda told: told["images"][0].update(width=128, height=168))
    edit(single[1], lambda told: told["annotations"].append(told["annotations"][0]))
    edit(single[2], lambda told: told["annotations"].clear())
    edit(single[3], lambda told: told["annotations"][0].update(bbox=[1, 2, 3]))
    edit(single[4], lambda told: told["annotations"][0].pop("bbox"))
    edit(single[5], lambda told: told["images"][0].update(dl_mapping_code="K-990091"))
    table, _ = manifest(folder, tmp_path)
    reasons = {
        Path(sample).stem: reason
        for sample, reason in table.select("sample_id", "reason").rows()
        if reason
    }
    assert reasons[combo.stem] == "labels disagree on the size of the photograph"
    assert reasons[single[0].stem] == (
        "another size than its labels say: 64 x 84, labelled 128.0 x 168.0"
    )
    assert reasons[single[1].stem] == "one box twice"
    assert reasons[single[2].stem] == "label: no annotation"
    assert reasons[single[3].stem].startswith("label: Expected `array` of length 4")
    assert reasons[single[4].stem] == "label: no box"
    assert reasons[single[5].stem].startswith("codes differ: named K-990017, labelled K-990091")
    assert len(reasons) == 7


def swapped(table: pl.DataFrame, column: str, value: pl.Expr) -> pl.DataFrame:
    first = pl.int_range(pl.len()) == 0
    return table.with_columns(pl.when(first).then(value).otherwise(column).alias(column))


def test_what_ingest_lets_through_the_gate_stops(sound: pl.DataFrame) -> None:
    for column, value, stops in (
        ("boxes", pl.col("boxes").list.reverse().list.head(0), "codes"),
        ("codes", pl.lit(["K-000001"]), "codes"),
        ("classes", pl.col("classes").list.head(0), "codes"),
        ("mode", pl.lit("both"), "mode"),
        ("subset", pl.lit("valid"), "published_split"),
    ):
        assert stops in failed(swapped(sound, column, value))
    assert "boxes" in failed(sound.with_columns(width=pl.lit(3)))


def test_one_photograph_under_two_lists_of_drugs_stops(sound: pl.DataFrame) -> None:
    two = sound.filter(pl.col("mode") == "combination").head(2)
    same = two.with_columns(
        digest=pl.lit("d"), codes=pl.Series([["K-000001", "K-000002"], ["K-000001", "K-000003"]])
    )
    assert not checks._identical(same).passed
    assert checks._identical(same.head(1)).passed


def test_the_overlap_of_parts_is_told(tmp_path: Path) -> None:
    table, _ = manifest(made(tmp_path / "set", unseen=1), tmp_path)
    check = gate(table, 0.02)["published test"]
    assert check.passed
    assert "3 drugs in training parts, 1 in validation parts, 0 in both" in check.found
    assert "unseen share 100%" in check.found
    assert [row["code"] for row in check.rows] == ["K-990128"]
