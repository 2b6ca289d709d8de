"""The doctor finds what is planted, says the command that mends it, and that command mends it."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from tests.conftest import TASK, Project

from assay.doctor.ledger import check_ledger
from assay.doctor.machine import GIB, room
from assay.doctor.versions import check_versions
from assay.registry.ledger import REF, WITNESS, append, entries
from assay.registry.versions import current_aliases
from assay.tracking.entries import iter_lock_entries
from assay.tracking.results import join_results

RENAMED = """  compose@renamed:
    cmd: exit 0
    outs:
    - path: {path}
      hash: md5
      md5: 0123456789abcdef0123456789abcdef
"""


def mends(said: str) -> list[str]:
    """Return the commands that a doctor said, in order, each once."""
    lines = [line.strip() for line in said.splitlines()]
    found = [line.removeprefix("mend: ") for line in lines if line.startswith("mend: ")]
    return list(dict.fromkeys(found))


def mend(project: Project, said: str) -> None:
    for command in mends(said):
        project.typed(command)


def object_of(project: Project, out: str) -> Path:
    """Return the cached object of an output of the committed pipeline."""
    for result in join_results(iter_lock_entries(project.folder)):
        if out in result.outs:
            digest = result.outs[out]
            return project.folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    raise AssertionError(out)


def state_of(project: Project) -> dict[str, bytes]:
    """Return everything that a doctor could change: refs, index, store, caches, work tree."""
    folders = (".git/refs", ".assay/mlflow", ".dvc/cache", ".dvc/config", "data", "models", "src")
    found = project.bytes_of(*folders)
    files = {name: content for name, content in found.items() if "__pycache__" not in name}
    refs = project.run("git", "for-each-ref").encode()
    return {**files, "refs": refs, "status": project.run("git", "status", "--porcelain").encode()}


def test_a_sound_project_is_quiet_and_left_as_it_is(promoted: Project) -> None:
    before = state_of(promoted)
    said = promoted.assay("doctor", "--deep")
    assert "hint  no remote: the ledger exists once" in said
    assert "0 findings" in said
    assert "all objects digested" in said
    assert state_of(promoted) == before


def test_where_nothing_is_registered_nothing_is_made(finished: Project) -> None:
    said = finished.assay("doctor")
    assert "no entries yet" in said
    assert "0 findings" in said
    assert not (finished.folder / ".assay/mlflow").exists()


def test_a_lock_of_another_machine_is_mended_by_committing_ones_own(finished: Project) -> None:
    """Its processor gave other bytes: what HEAD locks was never here, what was made here is."""
    lock = finished.folder / "dvc.lock"
    mine = lock.read_text()
    [own] = re.findall(r"path: models/\S+weights.safetensors\n\s+hash: md5\n\s+md5: (\w+)", mine)[
        :1
    ]
    lock.write_text(mine.replace(own, own[::-1]))
    finished.commit("Lock elsewhere")
    lock.write_text(mine)
    said = finished.assay("doctor", fails=True)
    assert f"{own[::-1]} is gone" in said
    assert mends(said) == ["git commit -m 'Lock what this machine made' dvc.lock"]
    mend(finished, said)
    assert " 0 findings" in finished.assay("doctor")


def test_a_lock_of_another_processor_is_said_once(finished: Project) -> None:
    """A colleague's clone: the cache is this kind's, the lock another's, from the first stage on.

    What the lock keeps of a stage that was renamed is nobody's to make, and hides nothing.
    """
    lock = finished.folder / "dvc.lock"
    entries = YAML(typ="safe").load(lock)
    outs = [out["md5"] for each in entries["stages"].values() for out in each["outs"]]
    taken = list(entries["stages"].values())[-1]["outs"][-1]["path"]
    mine = text = lock.read_text() + RENAMED.format(path=taken)
    data = [name for name in entries["stages"] if name.startswith(("code@", "ingest@"))]
    kept = {out["md5"] for name in data for out in entries["stages"][name]["outs"]}
    theirs = [digest for digest in outs if digest not in kept]
    for digest in theirs:
        body, _, kind = digest.partition(".")
        text = text.replace(digest, f"{body[::-1]}.{kind}" if kind else body[::-1])
    lock.write_text(text)
    finished.commit("Lock elsewhere")
    for path in ("data", "models", "reports"):
        finished.run("sh", "-c", f"git clean -fdXq {path}")
    said = finished.assay("doctor", fails=True)
    assert "1 finding" in said
    assert "made on another kind of processor: " in said
    assert re.search(r"`dvc repro` rebuilds all in about \d+ minutes?, `dvc pull` brings", said)
    assert mends(said) == ["dvc repro && git commit -m 'Lock what this machine made' dvc.lock"]
    mend(finished, said)
    assert " 0 findings" in finished.assay("doctor")
    assert lock.read_text() == mine


def test_objects_that_one_command_brings_back_are_one_finding(finished: Project) -> None:
    shutil.rmtree(finished.folder / ".dvc/cache")
    said = finished.assay("doctor", fails=True)
    assert "another kind of processor" not in said
    found = re.findall(r"FOUND .*", said)
    assert len(found) < 12, said
    assert any(" more of HEAD: " in each for each in found)


def test_what_hands_and_kills_do_is_found_and_mended(promoted: Project) -> None:
    """The faults are independent, and planted at once."""
    folder = promoted.folder
    promoted.run("git", "branch", "-f", "assay/ledger", "assay/ledger~1")
    promoted.run("git", "tag", "-f", f"{TASK}/v1", "HEAD~1")
    weights = object_of(promoted, f"models/{TASK}/weights.safetensors")
    weights.unlink()  # stands in the work tree: dvc commit
    pictures = object_of(promoted, f"reports/{TASK}/predictions.parquet")
    pictures.chmod(0o644)
    pictures.write_bytes(b"")
    index = folder / ".git/index.lock"
    index.touch()
    os.utime(index, (time.time() - 3600,) * 2)
    (folder / ".dvc/tmp/rwlock").write_text('{"read": {')
    said = promoted.assay("doctor", fails=True)
    assert "FOUND assay/ledger: cut back or rewritten: 1 commit(s)" in said
    assert "the last a promotion by Test" in said
    assert f"FOUND tag {TASK}/v1: moved to" in said
    assert (
        f"models/{TASK}/weights.safetensors of HEAD: {weights.parent.name}{weights.name} is gone"
        in said
    )
    assert f"reports/{TASK}/predictions.parquet of HEAD" in said
    assert "is damaged" in said
    assert "FOUND git's index.lock" in said
    assert "FOUND DVC's rwlock" in said
    mend(promoted, said)
    assert "0 findings" in promoted.assay("doctor")


def test_one_bit(promoted: Project) -> None:
    promoted.run("git", "tag", "-d", f"{TASK}/v1")
    weights = object_of(promoted, f"models/{TASK}/weights.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1  # only a digest tells
    weights.chmod(0o644)
    weights.write_bytes(bytes(content))
    said = promoted.assay("doctor", "--deep", fails=True)
    assert f"FOUND tag {TASK}/v1: gone" in said
    assert f"{weights.parent.name}{weights.name} is damaged" in said
    mend(promoted, said)
    assert "0 findings" in promoted.assay("doctor", "--deep")


def test_two_clones_that_gave_one_number(promoted: Project) -> None:
    """What another clone registered before the two shared their ledgers keeps no number twice."""
    first = promoted.run("git", "rev-parse", "HEAD").strip()
    promoted.set(**{f"{TASK}.evaluate.n_resamples": 150})
    promoted.dvc("repro", f"evaluate@{TASK}")
    commit = promoted.commit("Draw more often")
    [other] = [
        result
        for result in join_results(iter_lock_entries(promoted.folder))
        if commit in {sighting.commit for sighting in result.sightings}
        and first not in {sighting.commit for sighting in result.sightings}
    ]
    facts = {
        "task": TASK, "version": 1, "result": other.digest, "record": other.record,
        "files": {"weights.safetensors": other.outs[f"models/{TASK}/weights.safetensors"]},
        "commit": commit,
    }  # fmt: skip
    append(promoted.folder, "candidate", f"candidate {TASK}/v1", facts)
    [finding] = check_versions(promoted.folder).findings
    assert finding.subject == f"{TASK}/v1"
    assert "claimed by" in finding.found
    promoted.typed(finding.mend)
    assert not check_versions(promoted.folder).findings
    assert current_aliases(promoted.folder, TASK).candidate == 2
    # Without its tag and a branch, git would drop its commit in time.
    promoted.run("git", "tag", "-d", f"{TASK}/v2")
    promoted.run("git", "switch", "-q", "--detach", first)
    promoted.run("git", "branch", "-q", "-f", "main", first)
    [finding] = check_versions(promoted.folder).findings
    assert "no branch or tag holds its commit" in finding.found
    promoted.typed(finding.mend)
    assert not check_versions(promoted.folder).findings


def test_the_machine(finished: Project, tmp_path: Path) -> None:
    finished.set(
        **{"machine.threads": 4096, f"{TASK}.train.threads": 2048, f"{TASK}.model.weights": "pretrained",
           f"{TASK}.model.backbone": "resnet18", "hemoglobin-nail.model.weights": "no.safetensors"}
    )  # fmt: skip
    finished.run("git", "config", "--unset", "user.email")
    lock = finished.folder / "requirements.lock"
    lock.write_text(lock.read_text().replace("timm==", "timm==0."))
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "dvc").write_text("#!/bin/sh\n")
    (bare / "dvc").chmod(0o755)
    nobody = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "EMAIL": ""}
    path = f"{bare}:{os.environ['PATH']}"
    said = finished.assay("doctor", fails=True, PATH=path, HF_HOME=str(tmp_path), **nobody)
    assert said.count("threads: 4096") == said.count("FOUND machine.threads: 4096") == 1
    assert f"FOUND {TASK}.train.threads: 2048" in said
    assert "FOUND git identity: nobody" in said
    assert "timm 1." in said
    assert f"FOUND dvc: {bare}/dvc" in said
    assert (
        f"FOUND {TASK}.model.weights pretrained: no such file: models/start/{TASK}/resnet18."
        in said
    )
    assert f"assay weights {TASK} resnet18" in said
    assert "FOUND hemoglobin-nail.model.weights no.safetensors: no such file: models/start/" in said


def test_room_on_the_disk() -> None:
    assert not room(used=5 * GIB, free=GIB)
    assert room(used=5 * GIB, free=GIB - 1)[0].mend == "assay gc --apply"
    assert room(used=50 * GIB, free=4 * GIB)


@pytest.fixture
def bare(tmp_path: Path) -> Project:
    """Return a repository with three entries and nothing else."""
    project = Project(tmp_path / "bare")
    (project.folder / ".dvc").mkdir(parents=True)
    project.run("git", "init", "-q", "-b", "main")
    project.run("git", "config", "user.name", "Test")
    project.run("git", "config", "user.email", "test@example.org")
    project.run("git", "commit", "-q", "--allow-empty", "-m", "Start")
    for number in (1, 2, 3):
        append(project.folder, "note", f"note {number}", {"task": TASK, "number": number})
    assert not check_ledger(project.folder, ask_remote=False).findings
    return project


def numbers(project: Project) -> list[int]:
    return [entry.facts["number"] for entry in entries(project.folder)]


def forged(project: Project, message: str, *parents: str) -> None:
    """Put a commit by hand onto the branch."""
    tree = project.run("git", "rev-parse", f"{REF}^{{tree}}").strip()
    before = [part for parent in parents for part in ("-p", parent)]
    commit = project.run("git", "commit-tree", tree, *before, "-m", message).strip()
    project.run("git", "update-ref", REF, commit)


@pytest.mark.parametrize("fault", ["cut", "deleted", "amended", "rebased", "by hand"])
def test_the_branch_is_put_back(bare: Project, fault: str) -> None:
    before = bare.run("git", "rev-parse", REF)
    body = bare.run("git", "show", "-s", "--format=%B", REF)
    expected = "cut back or rewritten"
    if fault == "cut":
        bare.run("git", "branch", "-f", "assay/ledger", "assay/ledger~2")
    elif fault == "deleted":
        bare.run("git", "branch", "-D", "assay/ledger")
        expected = "the branch is gone"
    elif fault == "amended":
        forged(bare, body.replace('"number": 3', '"number": 7'), f"{REF}~1")
    elif fault == "rebased":
        middle = bare.run("git", "show", "-s", "--format=%B", f"{REF}~1")
        forged(bare, middle.replace('"number": 2', '"number": 8'), f"{REF}~2")
        forged(bare, body, REF)
    else:
        forged(bare, "Tidy up\n\nby hand", REF)
        expected = "a commit by hand, 'Tidy up' by Test"
    assert expected in "".join(each.found for each in check_ledger(bare.folder, False).findings)
    [command] = {each.mend for each in check_ledger(bare.folder, False).findings}
    bare.typed(command)
    report = check_ledger(bare.folder, False)
    assert not report.findings
    assert bare.run("git", "rev-parse", REF) == before
    assert numbers(bare) == [1, 2, 3]


def test_what_only_the_branch_holds_survives_the_mend(bare: Project) -> None:
    """Somebody fetched another clone's entries over the branch: both sides stay."""
    other = bare.run("git", "show", "-s", "--format=%B", REF).replace('"number": 3', '"number": 4')
    other = other.replace('"time": ', '"time": 9')
    forged(bare, other, f"{REF}~2")
    [finding] = check_ledger(bare.folder, False).findings
    bare.typed(finding.mend)
    assert not check_ledger(bare.folder, False).findings
    assert sorted(numbers(bare)) == [1, 2, 3, 4]


def test_an_entry_without_its_facts(bare: Project) -> None:
    before = bare.run("git", "rev-parse", REF)
    forged(bare, 'x\n\n{"kind": "candidate", "time": 1, "facts": {"task": "a"}}', REF)
    [finding] = check_ledger(bare.folder, False).findings
    assert "a candidate by Test" in finding.found
    assert "without version, result, files, record, commit" in finding.found
    bare.typed(finding.mend)
    assert bare.run("git", "rev-parse", REF) == before
    assert bare.run("git", "rev-parse", WITNESS) == before


@pytest.mark.parametrize(
    ("planted", "lacking"), [({}, "files"), ({"files": ["w"]}, "files by name")]
)
def test_an_entry_that_stays_without_its_facts_hides_no_version(
    bare: Project, planted: dict[str, object], lacking: str
) -> None:
    facts = {"task": "a", "result": "r", "record": "", "commit": bare.commit()}
    append(bare.folder, "candidate", "whole", {**facts, "version": 1, "files": {"w": "1"}})
    append(bare.folder, "candidate", "not", {**facts, "version": 2, **planted})
    said = check_ledger(bare.folder, False)
    assert not said.findings
    [hint] = [each for each in said.hints if "candidate" in each]
    assert hint.endswith(f" is a candidate without {lacking}; it is not read")
    assert check_versions(bare.folder).looked == "1 registered, 0 promoted"


def test_the_remote(bare: Project, tmp_path: Path) -> None:
    def mended(ask_remote: bool, expected: str) -> None:
        [finding] = check_ledger(bare.folder, ask_remote).findings
        assert expected in finding.found
        assert finding.mend == "assay ledger --share origin"
        bare.typed(finding.mend)
        assert not check_ledger(bare.folder, ask_remote).findings

    hub, twin = tmp_path / "hub", Project(tmp_path / "twin")
    bare.run("git", "init", "-q", "--bare", str(hub))
    bare.run("git", "remote", "add", "origin", str(hub))
    mended(False, "none, as last fetched")
    append(bare.folder, "note", "note 4", {"task": TASK, "number": 4})
    mended(False, "lacks 1, as last fetched")
    bare.run("git", "clone", "-q", str(hub), str(twin.folder))
    twin.run("git", "config", "user.name", "Other")
    twin.run("git", "config", "user.email", "other@example.org")
    assert not check_ledger(twin.folder, False).findings  # a clone reads its remote's
    append(twin.folder, "note", "note 5", {"task": TASK, "number": 5})
    twin.run("git", "push", "-q", "origin", "assay/ledger")
    assert not check_ledger(bare.folder, False).findings  # it has not asked
    mended(True, "has entries that were never fetched, now")
    assert sorted(numbers(bare)) == [1, 2, 3, 4, 5]
    twin.run("git", "push", "-q", "-f", "origin", "assay/ledger~1:refs/heads/assay/ledger")
    bare.run("git", "fetch", "-q")
    mended(False, "lacks 1, as last fetched")
