"""Commands and what Assay keeps: each line of docs/bad-input.md is planted, and what it says is seen."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from dvc.utils.hydra import apply_overrides
from tests import promises
from tests.conftest import DATA, ROOT, TASK, Project

from assay.commands.run import written
from assay.commands.snapshot import set_source
from assay.doctor.journals import check_journals, check_modules
from assay.errors import AssayError, DamagedFileError
from assay.jobs.job import Job
from assay.jobs.store import FAILURES, JobStore
from assay.learning.backbone import ensure_takes
from assay.learning.vision.networks import timm_unet
from assay.lookup import find_system, imported
from assay.manifest.snapshot import read_snapshot
from assay.params import read_params
from assay.runs.events import EventLog, events_path, read_events
from assay.runs.files import read_json, write_json
from assay.search.plan import read_plan
from assay.tracking.kept import Kept, Lock

NAMES = {
    "a source with Korean and blanks": "사진 (1), [neu]",
    "a source with brackets and commas": "[a, b] {c: d}",
    "a source with quotes": 'the "new" one\'s',
    "a source that looks like a number": "2023",
    "a source with a hash": "set #2",
}


def promised() -> dict[str, tuple[str, str]]:
    return promises.promised("Commands and journals")


# --- lines


def whole(root: Path) -> Path:
    path = events_path(root, "train@toy", "key")
    for number in range(3):
        EventLog(path).note("epoch", {"epoch": number})
    return path


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def zeros(path: Path) -> None:
    lines = [line + b"\n" for line in path.read_bytes().split(b"\n") if line]
    path.write_bytes(lines[0] + bytes(60) + b"\n" + lines[2])


LOGS: dict[str, tuple[Callable[[Path], None], list[int]]] = {
    "last line torn": (torn, [0, 1, 9]),
    "line of zeros": (zeros, [0, 2, 9]),
    "zeros to the end of a block": (
        lambda path: path.write_bytes(path.read_bytes() + bytes(512)) and None, [0, 1, 2, 9],
    ),
    "letter cut in two": (
        lambda path: path.write_bytes(path.read_bytes() + b'{"event": "\xec\x82') and None, [0, 1, 2, 9]
    ),
    "a line that is no event": (
        lambda path: path.write_text(path.read_text() + "null\n") and None, [0, 1, 2, 9]
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", LOGS)
def test_a_spoilt_line_costs_no_other(tmp_path: Path, fault: str) -> None:
    """What is appended after it begins a line of its own."""
    spoil, kept = LOGS[fault]
    path = whole(tmp_path)
    spoil(path)
    EventLog(path).note("epoch", {"epoch": 9})
    assert [event["epoch"] for event in read_events(path)] == kept
    report = check_journals(tmp_path)
    assert not report.findings
    [hint] = report.hints
    assert promised()[fault][1] in hint


FAILED = ("failures: last line torn", "failures: line of zeros")


@pytest.mark.parametrize("fault", FAILED)
def test_a_failure_counts_whose_line_is_spoilt(tmp_path: Path, fault: str) -> None:
    store, job = JobStore(tmp_path), Job("toy", {}, {})
    path = store.folder(job) / FAILURES
    path.parent.mkdir(parents=True)
    for reason in ("first", "second", "third time"):
        store.fail(job, reason)
    (torn if "torn" in fault else zeros)(path)
    store.fail(job, "last")
    found = store.failures(job)
    assert len(found) == 4
    assert (found[0], found[3]) == ("first", "last")
    assert promised()[fault][1] in " ".join(found + list(check_journals(tmp_path).hints))


def test_what_was_read_of_locks_is_read_again_where_a_line_is_spoilt(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    for blob in "abc":
        kept.add(Lock(blob, []))
        kept.save()
    content = kept.path.read_bytes()
    for spoil, left in ((lambda path: path.write_bytes(content[:-5]), "ab"), (zeros, "ac")):
        kept.path.write_bytes(content)
        spoil(kept.path)
        assert set(Kept(tmp_path).locks) == set(left)
    again = Kept(tmp_path)
    again.add(Lock("d", []))
    again.save()
    assert "d" in Kept(tmp_path).locks


# --- files


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def blank(path: Path) -> None:
    path.write_bytes(bytes(300))


FILES: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "run.json half-written": (f"models/{TASK}/run.json", half, "dvc checkout -f models/"),
    "run.json of zero bytes": (f"models/{TASK}/run.json", empty, "dvc checkout -f models/"),
    "run.json of zeros": (f"models/{TASK}/run.json", blank, "dvc checkout -f models/"),
    "plan of a study half-written": (".assay/search/toy/one/study.json", half, "rm "),
    "object of the cache half-written": (".dvc/cache/files/md5/ab/cd.dir", half, "assay doctor --deep"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FILES)
def test_a_damaged_file_is_told_with_what_brings_it_back(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, spoil, mend = FILES[fault]
    monkeypatch.chdir(tmp_path)
    write_json(Path(name), {"files": {"weights.safetensors": "0" * 32}})
    assert read_json(Path(name))["files"]
    spoil(Path(name))
    with pytest.raises(DamagedFileError) as refused:
        read_plan(Path(name).parent) if "plan" in fault else read_json(Path(name))
    assert promised()[fault][1] in refused.value.found
    assert refused.value.mend.startswith(mend)
    findings = check_journals(tmp_path).findings
    assert len(findings) == (not name.startswith(".dvc"))
    assert all(promised()[fault][1] in each.found for each in findings)


def test_a_damaged_snapshot_is_told(tmp_path: Path) -> None:
    path = tmp_path / f"data/{DATA}.source.json"
    path.parent.mkdir()
    shutil.copy(ROOT / f"data/{DATA}.source.json", path)
    half(path)
    with pytest.raises(AssayError) as refused:
        read_snapshot(DATA, tmp_path)
    assert promised()["snapshot half-written"][1] in refused.value.found
    assert "assay snapshot" in refused.value.mend
    assert len(check_journals(tmp_path).findings) == 1


def test_a_damaged_study_is_set_aside_and_not_removed(tmp_path: Path) -> None:
    path = tmp_path / ".assay/search/toy/one/study.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4000)
    [finding] = check_journals(tmp_path).findings
    assert promised()["database of a study damaged"][1] in finding.found
    assert finding.mend.startswith("mv .assay/search/toy/one/study.db ")


# --- modules


def test_an_untracked_module_is_told_before_an_experiment_runs(fresh: Project) -> None:
    new = fresh.folder / "src/assay/systems/hemoglobin/tasks/new.py"
    new.write_text('"""New."""\n')
    recipe = fresh.folder / f"recipes/{TASK}/short.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text(f"{TASK}.train.epochs: 2\n")
    said = fresh.assay("run", f"{TASK}/short", "--temp", fails=True)
    assert promised()["untracked module, assay run --temp"][1] in said
    assert "mend: git add src/assay/systems/hemoglobin/tasks/new.py" in said
    [finding] = check_modules(fresh.folder).findings
    assert promised()["untracked module, assay doctor"][1] in finding.found
    fresh.typed(finding.mend)
    assert not check_modules(fresh.folder).findings


def test_a_module_that_an_experiment_was_left_without_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC's own `exp run --temp`: the stage stands in the copy, and knows where it is asked from."""
    asked, here = tmp_path / "asked", tmp_path / "copy"
    for name in ("learning/newest.py", "systems/newer/__init__.py"):
        (asked / "src/assay" / name).parent.mkdir(parents=True)
        (asked / "src/assay" / name).touch()
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("DVC_ROOT", str(asked))
    promise = promised()["untracked module, dvc exp run --temp"][1]
    with pytest.raises(AssayError) as refused:
        imported("assay.learning.newest")
    assert promise in refused.value.found
    assert refused.value.mend == "git add src/assay/learning/newest.py"
    with pytest.raises(AssayError) as refused:
        find_system("newer")
    assert promise in refused.value.found
    assert refused.value.mend == "git add src/assay/systems/newer"


# --- sources


@pytest.mark.parametrize("fault", NAMES)
def test_any_name_of_a_folder_is_a_source(tmp_path: Path, fault: str) -> None:
    fresh = Project(tmp_path / "project")
    (fresh.folder / ".dvc").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", fresh.folder)
    folder = tmp_path / NAMES[fault]
    folder.mkdir()
    (folder / "conj_folder2.csv").write_text("image_path,hb_value,patient_id\na.png,9.5,a\n")
    path, name = fresh.folder / "params.yaml", f"../{NAMES[fault]}"
    if "number" in fault:  # relative to the repository: no slash at all
        shutil.move(folder, fresh.folder / NAMES[fault])
        name = NAMES[fault]
    before = path.read_text().splitlines()
    said = fresh.assay("snapshot", DATA, name)
    assert f"{promised()[fault][1]} {name}" in said
    assert fresh.json(f"data/{DATA}.source.json")["url"] == name
    assert read_params(path)["hemoglobin"]["conjunctiva"]["source"] == name
    after = path.read_text().splitlines()
    [changed] = [place for place, line in enumerate(before) if line != after[place]]
    assert len(after) == len(before)
    assert after[changed].partition(" # ")[2] or "#" not in before[changed]
    assert not set_source(fresh.folder, DATA, name)


@pytest.mark.parametrize("name", NAMES.values())
def test_the_documented_quoting_is_what_dvc_reads(tmp_path: Path, name: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("spectra:\n  source: phantom\n")
    apply_overrides(path, [f"spectra.source={written(f'../{name}')}"])
    assert read_params(path)["spectra"]["source"] == f"../{name}"


def test_the_line_of_the_readme_is_what_dvc_reads(tmp_path: Path) -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    [line] = [each for each in lines if "[neu]" in each and "-S" in each]
    path = tmp_path / "params.yaml"
    path.write_text("hemoglobin:\n  conjunctiva:\n    source: phantom\n")
    words = shlex.split(line)
    apply_overrides(path, [words[words.index("-S") + 1]])
    source = read_params(path)["hemoglobin"]["conjunctiva"]["source"]
    assert source == f"../{NAMES['a source with Korean and blanks']}"


def test_a_source_on_several_lines_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("spectra:\n  source: ../a\n    b\n  size: 1\n")
    with pytest.raises(AssayError) as refused:
        set_source(tmp_path, "spectra", "../c")
    assert promised()["a source on several lines of params.yaml"][1] in refused.value.found
    assert "size: 1" in (tmp_path / "params.yaml").read_text()


# --- networks


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "swinv2_cr_tiny_ns_224"])
def test_a_backbone_that_does_not_take_the_images_is_told(name: str) -> None:
    with torch.device("meta"):
        network = timm_unet(name, "none", Path(), 29, 4)[0]
        with pytest.raises(AssayError) as refused:
            ensure_takes(network, 128, "ceph.ingest.size")
        ensure_takes(network, 224, "ceph.ingest.size")
    assert promised()["a backbone of another image size"][1] in refused.value.found
    assert refused.value.where == f"model.backbone {name}"
    assert refused.value.mend.startswith("dvc exp run -S ceph.ingest.size=224")


PLANTED: set[str] = {
    *LOGS, *FAILED, *FILES, *NAMES, "snapshot half-written", "database of a study damaged",
    "untracked module, assay run --temp", "untracked module, assay doctor",
    "untracked module, dvc exp run --temp", "a source on several lines of params.yaml",
    "a backbone of another image size",
}  # fmt: skip


def test_every_line_is_planted() -> None:
    assert set(promised()) == PLANTED
