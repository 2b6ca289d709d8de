"""Locks are parsed once: by part, kept by content, whatever happens to the file that keeps them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import ROOT, TASK, environment
from tests.history_set import History, lock_text, stage_text

from assay.errors import AssayError
from assay.runs import git as git_module
from assay.tracking import locks as locks_module
from assay.tracking.entries import iter_lock_entries
from assay.tracking.kept import FILE
from assay.tracking.lock_text import LockEntry, LockError, lock_entries, lock_parts, part_entry
from assay.tracking.locks import Locks
from assay.tracking.results import join_results

D = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def _history(tmp_path_factory: pytest.TempPathFactory) -> History:
    history = History(tmp_path_factory.mktemp("history") / "project")
    for number in range(1, 6):
        history.experiment(f"e{number}", number)
    return history


@pytest.fixture
def history(_history: History, tmp_path: Path) -> History:
    """Return a copy of a baseline with five experiments."""
    return _history.copied(tmp_path / "project")


def told(history: History) -> list[tuple[str, str, str]]:
    """Return all that was sighted, as text."""
    return [
        (entry.stage, json.dumps([entry.deps, entry.outs]), sighting.experiment)
        for entry, sighting in iter_lock_entries(history.folder)
    ]


def file_of(history: History) -> Path:
    return history.folder / ".assay/history" / FILE


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each text that is parsed."""
    seen: list[str] = []

    def noting(text: str) -> LockEntry:
        seen.append(text)
        return part_entry(text)

    monkeypatch.setattr(locks_module, "part_entry", noting)
    return seen


def test_parts_say_what_the_whole_says() -> None:
    text = (ROOT / "dvc.lock").read_text(encoding="utf-8")
    parts = lock_parts(text)
    whole = lock_entries(text)
    assert [part_entry(part) for part in parts.values()] == whole
    assert len(whole) > 40
    assert all(entry.outs for entry in whole)


def test_names_and_digests_stay_text() -> None:
    """Neither YAML 1.1 nor 1.2 makes a truth, an hour or a number of them."""
    odd = {"on": "12345678901234567890123456789012", "12:30": "1e" + "0" * 30, "no": "0" * 32}
    text = "schema: '2.0'\nstages:\n" + "".join(
        f"  {name}:\n    outs:\n    - path: {name}\n      md5: {digest}\n"
        for name, digest in odd.items()
    )
    parts = [part_entry(part) for part in lock_parts(text).values()]
    assert parts == lock_entries(text) == [LockEntry(k, {}, {k: v}) for k, v in odd.items()]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n  evaluate", "\n  # a remark\n  evaluate"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("schema: '2.0'\n", "schema: '2.0'\nmeta: {}\n"),
        lambda text: text + "\n# the end\n",
        lambda text: text.replace(
            "cmd: python -m assay.stages", "cmd: &a python\n    frozen: &b x", 1
        ).replace("cmd: python -m assay.stages", "cmd: *a", 1),
        lambda text: "\n".join(
            f"  {line}" if line.startswith("  ") else line for line in text.splitlines()
        ),
    ],
    ids=["remark", "crlf", "section", "end", "anchor", "deeper"],
)
def test_a_lock_that_dvc_did_not_lay_out_is_read_all_the_same(
    history: History, change: object
) -> None:
    before = told(history)
    lock = history.folder / "dvc.lock"
    changed = change(lock.read_text())  # type: ignore[operator]
    assert changed != lock.read_text()
    lock.write_bytes(changed.encode())
    commit = history.commit("By hand")
    entries = Locks(history.folder).at([commit])[commit]
    assert [(entry.stage, json.dumps([entry.deps, entry.outs]), "") for entry in entries] == before[
        :2
    ]
    assert Locks(history.folder).in_work_tree() == entries


def test_only_what_is_new_is_parsed(history: History, parsed: list[str]) -> None:
    first = told(history)
    assert (
        len(parsed) == 12
    )  # two stages, a baseline and five experiments; the work tree's is known
    parsed.clear()
    assert told(history) == first
    assert not parsed
    (history.folder / "dvc.lock").write_text(
        (history.folder / "dvc.lock").read_text() + stage_text("new", {}, {"out": D})
    )
    history.commit("One stage more")
    assert len(told(history)) == len(first) + 4  # in the new commit, and in the work tree
    assert parsed == [stage_text("new", {}, {"out": D}).removeprefix("  ")]


def test_the_number_of_git_processes_does_not_grow(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    run = subprocess.run

    def counting(*arguments: object, **more: object) -> object:
        nonlocal calls
        calls += 1
        return run(*arguments, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(git_module.subprocess, "run", counting)
    told(history)
    few, calls = calls, 0
    for number in range(6, 16):
        history.experiment(f"e{number}", number)
    calls = 0
    assert len({name for *_, name in told(history)}) == 16
    assert calls == few


def test_what_is_kept_is_what_is_read(history: History) -> None:
    """A planted entry comes back: so the others do not come from git by chance."""
    before = told(history)
    path = file_of(history)
    path.write_text(path.read_text().replace("data/d/trainval.npy", "data/planted.npy"))
    assert told(history) != before
    path.rename(path.with_name("locks-0.jsonl"))  # another format is another file
    assert told(history) == before


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[len(content) // 2 :],
        lambda content: bytes(len(content)),
        lambda content: b"\x89PNG\r\n\x1a\n" + content[::-1],
        lambda content: b'{"somebody": "else"}\n[1, 2]\n["part", 1, 2]\n["lock", "x"]\n"part"\n',
        lambda content: content.replace(b'"part"', b'"piece"'),
        lambda content: b"\n".join(content.split(b"\n")[::2]),
    ],
    ids=["empty", "end", "beginning", "zeros", "binary", "foreign", "kinds", "lines"],
)
def test_a_torn_or_foreign_file_is_parsed_again(
    history: History, harm: object, parsed: list[str]
) -> None:
    before, path = told(history), file_of(history)
    path.write_bytes(harm(path.read_bytes()))  # type: ignore[operator]
    parsed.clear()
    assert told(history) == before
    assert parsed
    parsed.clear()
    assert told(history) == before  # and it is whole again
    assert not parsed


def test_a_place_that_cannot_be_written_to_goes_without(history: History) -> None:
    before = told(history)
    file_of(history).unlink()
    file_of(history).mkdir()
    assert told(history) == before


def test_several_processes_at_once(history: History, parsed: list[str]) -> None:
    for number in range(6, 30):
        history.experiment(f"e{number}", number)
    code = (
        "import sys, json; from pathlib import Path\n"
        "from assay.tracking.entries import iter_lock_entries\n"
        "print(json.dumps([[e.stage, e.deps, e.outs, s.experiment]"
        " for e, s in iter_lock_entries(Path(sys.argv[1]))]))"
    )
    command = [sys.executable, "-c", code, str(history.folder)]
    place = environment(PYTHONPATH=str(ROOT / "src"))
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=place, text=True) for _ in range(4)
    ]
    answers = [process.communicate()[0] for process in running]
    assert len(set(answers)) == 1
    assert len(json.loads(answers[0])) == len(told(history))
    assert not parsed
    lines = [line for line in file_of(history).read_bytes().split(b"\n") if line]
    assert all(json.loads(line)[0] in {"part", "lock"} for line in lines)


def test_a_committed_lock_that_is_none_is_passed_over_and_told(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    before = told(history)
    lock = history.folder / "dvc.lock"
    good = lock.read_text()
    lock.write_text("<<<<<<< HEAD\n" + good)
    bad = history.commit("Merge by hand")
    lock.write_text(good)
    history.commit("Mend")
    assert set(told(history)) == set(before)
    said = capsys.readouterr().err
    assert f"note: dvc.lock of 1 commit(s) passed over, first {bad[:12]}: not YAML" in said


def test_a_work_trees_lock_that_is_none_is_refused_with_its_mend(history: History) -> None:
    before, lock = told(history), history.folder / "dvc.lock"
    for text in ("<<<<<<< HEAD\n", "- a\n- b\n", "stages:\n  a:\n    outs: [b]\n"):
        lock.write_text(text)
        with pytest.raises(AssayError, match=r"dvc\.lock: not YAML") as fault:
            told(history)
        subprocess.run(fault.value.mend.split(), cwd=history.folder, check=True)
        assert told(history) == before


def test_broken_files_of_the_run_cache_are_left_to_dvc(history: History) -> None:
    before = told(history)
    folder = history.folder / ".dvc/cache/runs/aa" / ("a" * 64)
    folder.mkdir(parents=True)
    (folder / ("b" * 64)).write_text(f"cmd: x\nouts:\n- path: on\n  md5: {D}\n")
    (folder / ("c" * 64)).write_text("<<<<<<<\n")
    (folder / "tmp123").write_text("cmd: half\nou")
    assert told(history) == [*before, ("", json.dumps([{}, {"on": D}]), "")]


def test_results_join_by_digest(history: History) -> None:
    history.experiment("again", 3)
    results = join_results(iter_lock_entries(history.folder))
    named = [[sighting.experiment for sighting in each.sightings] for each in results]
    assert sorted(map(sorted, named)) == [[""], ["again", "e3"], ["e1"], ["e2"], ["e4"], ["e5"]]
    assert {each.task for each in results} == {TASK}
    assert len({each.digest for each in results}) == 6


def test_what_is_no_lock_is_said() -> None:
    with pytest.raises(LockError, match="not YAML"):
        lock_entries("a: [")
    assert lock_entries("") == []
    assert lock_parts(lock_text({"a": D}, {"b": D}, stage_text("a", {}, {}) * 2)) == {}
