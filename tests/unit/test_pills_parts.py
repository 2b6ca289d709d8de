"""The curriculum is nested, seeded and balanced; fold 0 validates every drug that it can."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from tests.pills_set import ingest_params, sessions, split_params

from assay.errors import AssayError
from assay.systems.pills.data import curriculum
from assay.systems.pills.data.curriculum import Goal, choose
from assay.systems.pills.data.parting import part

SMALL = {1: Goal(12, 4, 0.5), 2: Goal(40, 8, 0.5), 3: Goal(90, 12, 0.5), 4: Goal(500, 20, 0.5)}


def listing(drugs: int = 16) -> pl.DataFrame:
    """Return drugs of 4–11 photographs, combinations of two, and a test session of each drug."""
    codes = [f"K-{number:06d}" for number in range(drugs)]
    single = [(f"s{number}", [code]) for number, code in enumerate(codes)]
    table = pl.concat([sessions([one], 4 + number % 8) for number, one in enumerate(single)])
    pairs = sessions([(f"c{n}", [codes[n], codes[-n - 1]]) for n in range(drugs // 2)], 2)
    tests = sessions([(f"t{n}", [code]) for n, code in enumerate([*codes, "K-999999"])], 2)
    return pl.concat([table, pairs, tests.with_columns(subset=pl.lit("test"))])


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curriculum, "STAGES", SMALL)


def stage(number: int, table: pl.DataFrame, **more: int) -> pl.DataFrame:
    return choose(table, ingest_params(stage=number, **more))


def drugs_in(table: pl.DataFrame) -> set[str]:
    return set(table["named"].explode())


def test_stages_are_nested_and_of_their_size() -> None:
    table = listing()
    before: set[str] = set()
    for number, goal in SMALL.items():
        chosen = stage(number, table).filter(pl.col("subset") == "train")
        ids = set(chosen["sample_id"])
        assert before <= ids
        assert len(ids) == min(goal.images, table.filter(pl.col("subset") == "train").height)
        assert len(drugs_in(chosen)) <= goal.classes
        before = ids
    assert before == set(table.filter(pl.col("subset") == "train")["sample_id"])


def test_a_stage_is_balanced_over_its_drugs() -> None:
    alone = listing().filter(pl.col("named").list.len() == 1, pl.col("subset") == "train")
    counts = stage(1, alone)["named"].list.first().value_counts()["count"].to_list()
    assert counts == [3, 3, 3, 3]


def test_a_stage_depends_on_the_seed_and_not_on_the_order_of_rows() -> None:
    table = listing()
    mixed = table.sample(fraction=1.0, shuffle=True, seed=5)
    one, other = (set(stage(2, each)["sample_id"]) for each in (table, mixed))
    assert one == other
    assert one != set(stage(2, table, seed=2)["sample_id"])


def test_the_test_set_of_a_stage_shows_its_drugs_alone() -> None:
    chosen = stage(1, listing())
    trained, tested = (
        drugs_in(chosen.filter(pl.col("subset") == subset)) for subset in ("train", "test")
    )
    assert trained == tested
    assert "K-999999" in drugs_in(stage(4, listing()))


def test_max_samples_takes_the_first_of_the_same_order() -> None:
    table = listing()
    few, more = (set(stage(3, table, max_samples=count)["sample_id"]) for count in (10, 30))
    assert few < more
    trained = stage(3, table, max_samples=10).filter(pl.col("subset") == "train")
    assert len(trained) == 10
    assert choose(table, ingest_params()).equals(table)


def many(drugs: int = 40, count: int = 4) -> pl.DataFrame:
    shown = [
        (f"s{number:02d}-{turn}", [f"K-{number:06d}"])
        for number in range(drugs)
        for turn in range(1 + number % count)
    ]
    shown += [(f"c{n}", [f"K-{n:06d}", f"K-{n + 1:06d}"]) for n in range(20, 30)]
    return sessions(shown)


def test_fold_0_has_every_drug_with_two_sessions_and_none_with_one() -> None:
    rows = many()
    placed = part(rows, "drug", split_params()).join(rows, on="sample_id")
    assert placed.group_by("group_id").agg(pl.col("fold").n_unique())["fold"].max() == 1
    of = rows.explode("codes").group_by("codes").agg(pl.col("group_id").n_unique())
    count = dict(of.rows())
    inside = set(placed.filter(pl.col("fold") == 0)["codes"].explode())
    outside = set(placed.filter(pl.col("fold") != 0)["codes"].explode())
    assert outside == set(count)
    assert inside == {code for code, sessions_ in count.items() if sessions_ > 1}
    lonely = {code for code, sessions_ in count.items() if sessions_ == 1}
    told = placed.filter(pl.col("fold") == 5)
    assert set(told["codes"].explode()) == lonely


def test_one_drug_alone_is_dealt_out_at_random_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    alone = sessions([(f"s{number}", ["K-000001"]) for number in range(10)])
    placed = part(alone, "drug", split_params())
    assert "warning: one drug alone, K-000001" in capsys.readouterr().out
    assert set(placed["fold"]) == set(range(5))
    part(sessions([(f"s{n}", [f"K-{n % 2}"]) for n in range(10)]), "drug", split_params())
    assert "one drug alone" not in capsys.readouterr().out


def test_fold_0_keeps_its_share() -> None:
    rows = many(drugs=200, count=8)
    before = 1 / 5
    share = (part(rows, "drug", split_params())["fold"] == 0).mean()
    assert share == pytest.approx(before, abs=0.06)


def test_the_parts_do_not_hang_on_the_order_of_rows() -> None:
    rows = many()
    mixed = rows.sample(fraction=1.0, shuffle=True, seed=2)
    one, other = (part(each, "drug", split_params()).sort("sample_id") for each in (rows, mixed))
    assert one.equals(other)


def test_the_published_test_is_refused_without_a_drug_in_common(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = many()
    tests = sessions([("t1", ["K-000003"]), ("t2", ["K-900001"])])
    tests = tests.with_columns(subset=pl.lit("test"))
    placed = part(pl.concat([rows, tests]), "drug", split_params(test="published"))
    assert placed.filter(pl.col("split") == "test")["fold"].unique().to_list() == [-1]
    assert "unseen share 50.0%" in capsys.readouterr().out
    alien = tests.filter(pl.col("group_id") == "t2")
    with pytest.raises(AssayError, match=r"none of the 1 drugs.*\n.*\n.*split\.test=0\.15"):
        part(pl.concat([rows, alien]), "drug", split_params(test="published"))
    locked = part(pl.concat([rows, alien]), "drug", split_params(test=0.15))
    assert 0.1 < (locked["split"] == "test").mean() < 0.2


def test_the_founders_stages() -> None:
    told = {1: (5_000, 50, 0.78), 2: (25_000, 250, 0.82), 3: (100_000, 1_000, 0.85),
            4: (500_000, 4_523, 0.85)}  # fmt: skip
    stages = {
        number: (goal.images, goal.classes, goal.accuracy) for number, goal in FOUNDERS.items()
    }
    assert stages == told
    assert np.all([FOUNDERS[number].latency_ms == 200 for number in (3, 4)])


FOUNDERS = curriculum.STAGES
