"""The test set is out of reach: training, evaluation and every verb go on where it cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.conftest import DATA, TASK, Project
from tests.stories import SEALED, kinds, looks, taken_away

from assay.manifest.layout import Layout
from assay.manifest.table import read_table, write_table

OUT_OF_REACH = (*SEALED, f"data/{DATA}/manifest.parquet", f"data/{DATA}/splits.parquet")


def test_all_but_the_promotion_goes_on_without_the_test_set(door: Project) -> None:
    before = kinds(door)
    with taken_away(door, *OUT_OF_REACH) as away:
        for verb in (
            "sync", "params", "results", f"results {TASK} --over train.epochs",
            "compare first better", "ledger", f"snapshot {DATA} phantom",
        ):  # fmt: skip
            door.assay(*verb.split())
        assert "test set, look 1 of 5, its stored result" in door.assay("models")
        # It compares the stages with their outputs, and does not pass over absent ones.
        assert f"split@{DATA}" in door.assay("register", TASK, fails=True)
        refused = door.assay("promote", TASK, fails=True)
        assert "STOP" not in refused  # every gate has passed, none of them has looked
        assert f"data/{DATA}/test.parquet" in refused
        assert "is not in this clone's DVC cache" in refused
        assert "mend: dvc pull --all-commits" in refused
        assert kinds(door) == before  # and the look that could not be is none
        door.set(**{f"{TASK}.train.epochs": 2})
        door.dvc("repro", "-s", f"train@{TASK}", f"evaluate@{TASK}")
        assert not [place for place in away if place.exists()]
    assert door.scores(TASK)["groups"] == 47
    assert len(looks(door)) == 1


@pytest.fixture
def poisoned(door: Project) -> Project:
    """Make every test label NaN and every test pixel white, in DVC's own words as well."""
    path = door.folder / Layout(DATA).sealed
    table, facts = read_table(path, f"split@{DATA}")
    path.unlink()
    write_table(path, table.with_columns(hb=pl.lit(float("nan"))), facts)
    pixels = door.folder / Layout(DATA).sealed_pixels
    images = np.load(pixels)
    pixels.unlink()
    np.save(pixels, np.full_like(images, 255))
    door.dvc("commit", "-f", f"split@{DATA}")
    door.commit("Poison")
    return door


def test_poisoned_test_rows_change_no_number(poisoned: Project) -> None:
    before = poisoned.bytes_of(f"models/{TASK}", f"reports/{TASK}")
    said = poisoned.dvc("repro", f"evaluate@{TASK}")
    assert "Running stage" not in said  # neither training nor evaluation depends on them
    poisoned.dvc("repro", "-f", "-s", f"evaluate@{TASK}")
    assert poisoned.bytes_of(f"models/{TASK}", f"reports/{TASK}") == before
    assert "v3 was registered already" in poisoned.assay("register", TASK)
    assert "nan" not in poisoned.assay("results").lower()
    assert Path(poisoned.folder / SEALED[0]).exists()
