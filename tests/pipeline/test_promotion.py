"""The door, from a first model to a rollback: what it lets through, what it refuses, what it leaves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest
from tests import stories
from tests.conftest import TASK, Project
from tests.stories import SEALED, kinds, looks, taken_away
from tests.templates import copied

from assay.errors import AssayError
from assay.registry.commit_artifacts import CommitArtifacts
from assay.registry.ledger import append, entries
from assay.registry.promotion import promote
from assay.registry.promotion_context import PromotionContext, read_context
from assay.registry.promotion_gates import content, served
from assay.registry.versions import CANDIDATE, PROMOTION, current_aliases, versions

VALIDATED = f"reports/{TASK}/predictions.parquet"


@pytest.fixture
def story() -> Path:
    """Return a folder with `said.json`, and the projects `at-the-door` (v3 comes next) and `told`."""
    return stories.promotions()


@pytest.fixture
def said(story: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((story / "said.json").read_text(encoding="utf-8"))
    return found


# --- the story


def test_the_first_model_is_measured_against_the_trivial_predictor(said: dict[str, str]) -> None:
    assert f"{TASK} v1 registered; alias candidate → v1" in said["first candidate"]
    better = next(line for line in said["first"].splitlines() if "better" in line)
    assert re.search(r"MAE -\d\.\d+ \[-\d.*, -\d.*\] g/dL against the trivial predictor", better)
    assert "on the same 47 patients, no seeds measured" in better
    for gate in ("ledger", "content", "served", "verdicts", "source", "subjects", "looks"):
        assert re.search(rf"^  ok    {gate}: \S+", said["first"], re.MULTILINE), gate
    assert "reproduction: not run" in said["first"]
    assert "look 1 of 5" in said["first"]
    assert f"champion → v1 · pinned by {TASK}/v1" in said["first"]


def test_a_worse_one_is_refused_with_the_interval_and_opens_nothing(
    said: dict[str, str], story: Path
) -> None:
    refusal = said["worse"][said["worse"].index("error: ") :]
    assert "candidate v2 is not better than champion v1: MAE +" in refusal
    assert re.search(r"MAE \+\d\.\d+ \[[+-]\d\.\d+, \+\d\.\d+\] g/dL against champion v1", refusal)
    assert "Nothing changed; the test set was not opened" in refusal
    assert f"mend: assay promote {TASK} --override better --reason '…'" in refusal
    assert said["changed"] == "False"
    assert "Traceback" not in said["worse"]
    # Compared on what both validate on, and on nothing else.
    root = story / "told"
    tables = [
        pl.read_parquet(CommitArtifacts(root, tag).file(VALIDATED)) for tag in ("first", "worse")
    ]
    groups = [set(table["group_id"]) for table in tables]
    assert groups[0] != groups[1]
    assert f"on the same {len(groups[0] & groups[1])} patients" in refusal


def test_other_folds_do_not_renew_the_budget(said: dict[str, str], story: Path) -> None:
    assert "looks: 1 of 5 used" in said["worse"]
    digests = [
        json.loads(
            CommitArtifacts(story / "told", tag).file(f"models/{TASK}/run.json").read_text()
        )["data"]
        for tag in ("first", "worse")
    ]
    assert digests[0]["split_digest"] != digests[1]["split_digest"]
    assert digests[0]["test_digest"] == digests[1]["test_digest"]


def test_a_better_one_is_promoted_and_rolled_back(said: dict[str, str], story: Path) -> None:
    assert re.search(r"MAE -\d\.\d+ \[-\d.*, -\d.*\] g/dL against champion v1", said["better"])
    assert "look 2 of 5" in said["better"]
    assert f"champion → v3 · previous → v1 · pinned by {TASK}/v3" in said["better"]
    assert f"{TASK}: champion v3 → v1" in said["rollback"]
    project = Project(story / "told")
    stands = current_aliases(project.folder, TASK)
    assert (stands.champion, stands.previous, stands.candidate) == (1, None, None)
    for number, tag in ((1, "first"), (3, "better")):
        commit = project.run("git", "rev-parse", f"{TASK}/v{number}^{{commit}}")
        assert commit == project.run("git", "rev-parse", tag)
    assert not project.run("git", "status", "--porcelain")


@pytest.mark.dvc
def test_in_processes_it_is_the_same(story: Path, said: dict[str, str], tmp_path: Path) -> None:
    """The story's models were asked by warm processes: one of their own, from nothing, says the same."""
    door = copied(story / "at-the-door", tmp_path / "door")
    assert door.own("promote", TASK).splitlines()[-1] == said["better"].splitlines()[-1]
    mine, told = (
        [each.facts["scores"] for each in entries(root) if each.kind == "scores"]
        for root in (door.folder, story / "told")
    )
    assert mine == told


def test_the_ledger_tells_the_story(said: dict[str, str], story: Path) -> None:
    assert kinds(Project(story / "told")) == [
        *("candidate", "look", "scores", "promotion"),
        "candidate",
        *("candidate", "look", "scores", "promotion"),
        "rollback",
    ]
    for words in ("look 2 of 5 at the test set", "promotion", "drifts on the new"):
        assert words in " ".join(said["ledger"].split())
    look = looks(Project(story / "told"))[0]
    assert look.who == "Test <test@example.org>"
    assert {"commit", "files", "split_digest", "number", "budget", "reason"} <= look.facts.keys()


def test_the_champion_in_mlflow_is_the_ledgers(story: Path) -> None:
    import mlflow

    uri = f"sqlite:///{story}/told/.assay/mlflow/mlflow.db"
    aliases = mlflow.MlflowClient(uri, uri).get_registered_model(TASK).aliases
    assert {alias: int(number) for alias, number in aliases.items()} == {"champion": 1}


def test_applied_experiments_and_checkouts_roll_nothing_back(door: Project) -> None:
    """What stands in the work tree goes back with it; the ledger does not."""
    door.dvc("exp", "save", "-n", "before")
    before = entries(door.folder)
    new = append(door.folder, "note", "since then", {})
    door.set(**{f"{TASK}.promote.min_groups": 21})
    door.dvc("exp", "save", "-n", "after")
    door.dvc("exp", "apply", "before")
    assert "min_groups: 20" in (door.folder / "params.yaml").read_text()
    door.run("git", "stash", "-q", "-u")
    door.run("git", "checkout", "-q", "first")
    assert entries(door.folder) == [*before, new]


# --- what the door refuses


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"beter": "x"}, "--override beter: no such gate"),
        ({"looks": "x"}, "--override looks: cannot be overruled"),
        ({"served": "x"}, "--override served: cannot be overruled"),
        ({"content": "x"}, "--override content: cannot be overruled"),
        ({"ledger": "x"}, "--override ledger: cannot be overruled"),
        ({"better": "  "}, "--override better: no reason"),
    ],
)
def test_an_override_names_a_gate_and_a_reason(
    story: Path, overrides: dict[str, str], words: str
) -> None:
    with pytest.raises(AssayError, match=words):
        promote(story / "told", TASK, overrides)


def test_an_override_without_a_reason_is_no_command(story: Path) -> None:
    project = Project(story / "told")
    said = project.assay("promote", TASK, "--override", "better", fails=True)
    assert "an override names its reason: --override GATE --reason '…'" in said


def test_a_promotion_again_uses_the_look_that_was(story: Path, tmp_path: Path) -> None:
    """After a rollback v3 comes back, through the gates, without another look; and overrides are told."""
    project = copied(story / "told", tmp_path / "project")
    assert "was registered already; alias candidate → v3" in project.assay("register", TASK)
    project.set(**{f"{TASK}.promote.min_groups": 1000})
    before = looks(project)
    reasons = (
        "--override",
        "subjects",
        "--reason",
        "a pilot",
        "--override",
        "better",
        "--reason",
        "-",
    )
    with taken_away(project, *SEALED):
        said = project.assay("promote", TASK, *reasons)
    assert "look 2 of 5, its stored result" in said
    assert "STOP  subjects: 47 patients" in said
    assert "overruled: a pilot" in said
    assert looks(project) == before
    last = entries(project.folder)[-1]
    assert last.kind == PROMOTION
    assert last.facts["overrides"] == {"subjects": "a pilot"}  # of `better` there was no need
    stands = current_aliases(project.folder, TASK)
    assert (stands.champion, stands.previous) == (3, 1)
    _exchange_served_weights(project)


def _exchange_served_weights(project: Project) -> None:
    """Put the first model's weights where MLflow keeps the third's, and ask the door."""
    case = PromotionContext(project.folder, versions(project.folder, TASK)[2], None)
    name = f"models/{TASK}/weights.safetensors"
    own, others = (
        CommitArtifacts(project.folder, "better").file(name),
        CommitArtifacts(project.folder, "first").file(name),
    )
    stored = [
        path
        for path in (project.folder / ".assay/mlflow/artifacts").rglob("weights.safetensors")
        if path.read_bytes() == own.read_bytes()
    ]
    assert stored
    for path in stored:
        path.chmod(0o644)
        path.write_bytes(others.read_bytes())
    check = served(case)
    assert not check.passed
    assert re.search(r"47 validation rows, at most [0-9.]+ apart", check.found)


# --- forged


def forge(project: Project, *changes: tuple[str, str]) -> str:
    """Commit a dvc.lock in which texts were exchanged."""
    lock = project.folder / "dvc.lock"
    text = lock.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    lock.write_text(text)
    return project.commit("Forge")


def register_by_hand(project: Project, **facts: str) -> None:
    """Append an entry as `assay register` does, past all that it asks."""
    last = versions(project.folder, TASK)[-1]
    made = {**last.entry.facts, "version": last.number + 1, **facts}
    append(project.folder, CANDIDATE, f"candidate {TASK}/v{last.number + 1}", made)


def test_a_lock_with_other_weights_is_no_candidate_and_does_not_pass(door: Project) -> None:
    first, _, third = versions(door.folder, TASK)
    commit = forge(door, *zip(third.files.values(), first.files.values(), strict=True))
    assert "stale" in door.assay("register", TASK, fails=True)
    register_by_hand(door, commit=commit)
    check = content(read_context(door.folder, TASK))
    assert not check.passed
    assert f"models/{TASK}/weights.safetensors" in check.found


def test_a_lock_with_other_code_does_not_pass(door: Project) -> None:
    lock = (door.folder / "dvc.lock").read_text()
    path = f"code/hemoglobin/train@{TASK}.json"
    md5 = re.search(rf"{path}\n\s+hash: md5\n\s+md5: (\w+)", lock)
    assert md5
    commit = forge(door, (md5[1], "f" * 32))
    assert "stale" in door.assay("register", TASK, fails=True)
    register_by_hand(door, commit=commit)
    check = content(read_context(door.folder, TASK))
    assert not check.passed
    assert f"train@{TASK} · {path}" in check.found


def test_a_commit_of_other_source_does_not_pass(door: Project) -> None:
    """The lock's own file of code is there, and was written for another source than the commit's."""
    source = door.folder / "src/assay/learning/schedules.py"
    source.write_text(source.read_text() + "# changed\n")
    commit = door.commit("Change code, and run nothing")
    assert "stale" in door.assay("register", TASK, fails=True)
    register_by_hand(door, commit=commit)
    check = content(read_context(door.folder, TASK))
    assert not check.passed
    assert "code@hemoglobin · src/assay" in check.found


def test_an_entry_that_names_no_such_commit_does_not_pass(door: Project) -> None:
    register_by_hand(door, commit="1" * 40, result="forged")
    check = content(read_context(door.folder, TASK))
    assert not check.passed
