"""The test set is out of reach: training, evaluation and every verb go on where it cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.conftest import DATA, TASK, Project
from tests.pipeline.test_promotion import SEALED, door, kinds, looks, story, taken_away  # noqa: F401

from assay.manifest.layout import Layout
from assay.manifest.table import read_table, write_table

OUT_OF_REACH = (*SEALED, f"data/{DATA}/manifest.parquet", f"data/{DATA}/splits.parquet")
# One process for all verbs: each would import the same libraries.
VERBS = """
import contextlib, io, json, sys
from assay.__main__ import cli
from assay.errors import AssayError
said = {}
for words in json.loads(sys.argv[1]):
    out, end = io.StringIO(), "went"
    with contextlib.redirect_stdout(out):
        try:
            cli(words, standalone_mode=False)
        except AssayError as fault:
            end, _ = "refused", out.write(fault.render())
    said[" ".join(words)] = (end, out.getvalue())
print("SAID" + json.dumps(said))
"""


def verbs(project: Project, *commands: str) -> dict[str, tuple[str, str]]:
    words = json.dumps([command.split() for command in commands])
    said = project.run("python", "-c", VERBS, words, PYTHONPATH="src")
    found: dict[str, tuple[str, str]] = json.loads(said.rpartition("SAID")[2])
    return found


def test_all_but_the_promotion_goes_on_without_the_test_set(door: Project) -> None:  # noqa: F811
    before = kinds(door)
    with taken_away(door, *OUT_OF_REACH) as away:
        said = verbs(
            door, "sync", "params", "results", f"results {TASK} --over train.epochs",
            "compare first better", "catalog", "ledger", f"snapshot {DATA} phantom",
        )  # fmt: skip
        assert {end for end, _ in said.values()} == {"went"}, said
        assert "test set, look 1 of 5, its stored result" in said["catalog"][1]
        # It compares the stages with their outputs, and does not pass over absent ones.
        end, text = verbs(door, f"candidate {TASK}")[f"candidate {TASK}"]
        assert end == "refused"
        assert f"split@{DATA}" in text
        refused = door.assay("promote", TASK, fails=True)
        assert "STOP" not in refused  # every gate has passed, none of them has looked
        assert f"data/{DATA}/test.parquet" in refused
        assert "is not in this clone's DVC cache" in refused
        assert "mend: dvc pull --all-commits" in refused
        assert kinds(door) == before  # and the look that could not be is none
        door.set(**{f"{TASK}.train.epochs": 2})
        door.run("dvc", "repro", "-s", f"train@{TASK}", f"evaluate@{TASK}")
        assert not [place for place in away if place.exists()]
    assert door.json(f"reports/{TASK}/metrics.json")["groups"] == 47
    assert len(looks(door)) == 1


@pytest.fixture
def poisoned(door: Project) -> Project:  # noqa: F811
    """Make every test label NaN and every test pixel white, in DVC's own words as well."""
    path = door.folder / Layout(DATA).sealed
    table, facts = read_table(path, f"split@{DATA}")
    path.unlink()
    write_table(path, table.with_columns(hb=pl.lit(float("nan"))), facts)
    pixels = door.folder / Layout(DATA).sealed_pixels
    images = np.load(pixels)
    pixels.unlink()
    np.save(pixels, np.full_like(images, 255))
    door.run("dvc", "commit", "-f", f"split@{DATA}")
    door.commit("Poison")
    return door


def test_poisoned_test_rows_change_no_number(poisoned: Project) -> None:
    before = poisoned.bytes_of(f"models/{TASK}", f"reports/{TASK}")
    said = poisoned.run("dvc", "repro", f"evaluate@{TASK}")
    assert "Running stage" not in said  # neither training nor evaluation depends on them
    poisoned.run("dvc", "repro", "-f", "-s", f"evaluate@{TASK}")
    assert poisoned.bytes_of(f"models/{TASK}", f"reports/{TASK}") == before
    said_again = verbs(poisoned, f"candidate {TASK}", "results")
    assert "v3 was registered already" in said_again[f"candidate {TASK}"][1]
    assert "nan" not in said_again["results"][1].lower()
    assert Path(poisoned.folder / SEALED[0]).exists()
