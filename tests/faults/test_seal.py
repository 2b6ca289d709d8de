"""The seal: a look is in the ledger before the test set is read, is taken once, and counts."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from tests.conftest import DATA, TASK, Project
from tests.stories import SEALED, kinds, looks, taken_away

from assay.errors import AssayError
from assay.manifest.layout import Layout
from assay.manifest.table import read_table
from assay.registry.ledger import REF, entries
from assay.registry.promotion_context import read_context
from assay.registry.promotion_gates import looks as looks_gate
from assay.registry.seal import SCORES, look
from assay.registry.versions import current_aliases, versions


@pytest.mark.kill
def test_a_look_killed_after_its_entry_is_a_used_look(door: Project, tmp_path: Path) -> None:
    """The door is killed between the ledger's entry and the scores; the next try is another look."""
    process = door.start(
        "env", "PYTHONPATH=src", "python", "-m", "assay", "promote", TASK, log=tmp_path / "log"
    )
    ends = time.monotonic() + 300
    tip = (door.folder / ".git" / REF).read_bytes()
    while (door.folder / ".git" / REF).read_bytes() == tip:
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < ends
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)  # the asked model with it
    process.wait()
    assert [entry.facts["number"] for entry in looks(door)] == [1, 2]
    assert kinds(door)[-1] == "look"  # and no scores
    assert current_aliases(door.folder, TASK).champion == 1
    assert looks_gate(read_context(door.folder, TASK)).found == "2 of 5 used"
    third = versions(door.folder, TASK)[2]
    again = look(door.folder, third, "promotion")
    assert (again.number, again.is_new) == (3, True)
    assert [entry.facts["number"] for entry in looks(door)] == [1, 2, 3]
    opened, scores = entries(door.folder)[-2:]
    assert scores.facts["look"] == opened.commit
    with taken_away(door, *SEALED):  # once more is not once more read
        once_more = look(door.folder, third, "promotion")
    assert (once_more.number, once_more.is_new) == (3, False)
    assert once_more.scores == again.scores
    assert len(looks(door)) == 3


def test_beyond_the_budget_it_refuses_whoever_asks(door: Project) -> None:
    door.set(**{f"{DATA}.seal.looks": 1})
    first, _, third = versions(door.folder, TASK)
    before = entries(door.folder)
    check = looks_gate(read_context(door.folder, TASK))
    assert (check.passed, check.found) == (False, "1 of 1 used")
    with pytest.raises(AssayError, match="1 of 1 looks are used"):
        look(door.folder, third, "curiosity")
    assert entries(door.folder) == before
    stored = look(door.folder, first, "curiosity")  # the first one's stays
    assert not stored.is_new
    assert [stored.scores] == [e.facts["scores"] for e in before if e.kind == SCORES]


def test_a_test_set_that_is_not_here_uses_no_look(door: Project) -> None:
    before = kinds(door)
    third = versions(door.folder, TASK)[2]
    for path in SEALED:
        with taken_away(door, path), pytest.raises(AssayError) as caught:
            look(door.folder, third, "promotion")
        assert path in caught.value.where
        assert "dvc pull" in caught.value.mend
    assert kinds(door) == before


def test_a_ledger_that_was_cut_back_opens_nothing(door: Project) -> None:
    """Rolling the branch back behind the look would renew the budget."""
    door.run("git", "update-ref", REF, f"{REF}~4")
    with pytest.raises(AssayError, match="the branch lost entries"):
        look(door.folder, versions(door.folder, TASK)[2], "promotion")
    assert len(looks(door)) == 1


def test_other_folds_are_the_same_test_set_and_another_seed_is_not(door: Project) -> None:
    looked_at = looks(door)[0].facts["test_digest"]
    found = {}
    for key, value in (("folds", 4), ("seed", 7)):
        door.set(**{f"{DATA}.split.{key}": value})
        door.dvc("repro", "-s", f"split@{DATA}")
        _, facts = read_table(door.folder / Layout(DATA).trainval, f"split@{DATA}")
        found[key] = facts["test_digest"]
    assert found["folds"] == looked_at
    assert found["seed"] != looked_at
