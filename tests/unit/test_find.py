"""Names of results: commits, experiments, the work tree, versions; the ambiguous and the unknown."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from assay.errors import AssayError
from assay.runs.files import file_digest
from assay.tracking.entries import iter_lock_entries
from assay.tracking.find import find_result, find_two
from assay.tracking.results import Result, join_results

NAIL, EYE = "hemoglobin-nail", "hemoglobin-conjunctiva"


class History:
    """A repository whose `dvc.lock` holds results; a result is named by one letter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Test")
        self.git("config", "user.email", "test@example.org")
        (folder / "src").mkdir()
        (folder / "src/code.py").write_text("1\n")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def digest(self, letter: str, file: str) -> str:
        """Write the file where the work tree has it, and return its digest."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{letter} {file}")
        return file_digest(path)

    def commit(self, **letters: str) -> str:
        """Commit a `dvc.lock` with one result a task (`nail`, `eye`)."""
        lines = ["stages:"]
        for short, letter in letters.items():
            task = {"nail": NAIL, "eye": EYE}[short]
            record = f"models/{task}/run.json"
            metrics = f"reports/{task}/scores.csv"
            made, scored = (self.digest(letter, file) for file in (record, metrics))
            lines += [
                f"  train@{task}:",
                f"    outs: [{{path: {record}, md5: {made}}}]",
                f"  evaluate@{task}:",
                f"    deps: [{{path: {record}, md5: {made}}}]",
                f"    outs: [{{path: {metrics}, md5: {scored}}}]",
            ]
        (self.folder / "dvc.lock").write_text("\n".join(lines) + "\n")
        self.git("add", "dvc.lock", "src")
        self.git("commit", "-q", "--allow-empty", "-m", str(letters))
        return self.git("rev-parse", "HEAD")

    def experiment(self, name: str, **letters: str) -> str:
        """Leave a commit as DVC leaves an experiment: under a ref, off every branch."""
        head = self.git("rev-parse", "HEAD")
        made = self.commit(**letters)
        self.git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", made)
        self.git("reset", "-q", "--hard", head)
        return made

    def results(self) -> list[Result]:
        return join_results(iter_lock_entries(self.folder))

    def letter(self, result: Result) -> str:
        """Return which one a result is."""
        for letter in "abcdef":
            record = f"models/{result.task}/run.json"
            if self.digest(letter, record) == result.outs[record]:
                return letter
        raise AssertionError(result)

    def find(self, name: str, task: str = "", **more: object) -> tuple[str, str]:
        found = find_result(self.folder, self.results(), name, task, **more)  # type: ignore[arg-type]
        return found.result.task, self.letter(found.result)


@pytest.fixture
def history(tmp_path: Path) -> History:
    history = History(tmp_path)
    history.commit(eye="a")
    history.git("tag", "first")
    history.commit(eye="b", nail="c")
    history.experiment("deeper", eye="d", nail="c")
    (tmp_path / "README.md").write_text("no result\n")
    history.git("add", "README.md")
    history.git("commit", "-q", "-m", "Words")
    return history


def test_commits_and_tags_hold_what_their_lock_holds(history: History) -> None:
    assert history.find("first") == (EYE, "a")
    assert history.find("HEAD~1", EYE) == (EYE, "b")
    assert history.find("HEAD", EYE) == (EYE, "b")  # the last commit did not touch the lock
    assert history.find(history.git("rev-parse", "HEAD")[:8], NAIL) == (NAIL, "c")


def test_a_commit_of_several_tasks_is_ambiguous_without_one(history: History) -> None:
    with pytest.raises(
        AssayError, match=f"means 2 results.*\n.*\n.*--task with one of {EYE}, {NAIL}"
    ):
        history.find("HEAD")
    with pytest.raises(AssayError, match=f"no result of {NAIL} has this name"):
        history.find("first", NAIL)


def test_an_experiment_is_what_it_changed(history: History) -> None:
    assert history.find("deeper") == (EYE, "d")
    assert history.find("deeper", NAIL) == (NAIL, "c")  # kept from its baseline


def test_an_experiments_name_on_two_commits_is_ambiguous(history: History) -> None:
    other = history.experiment("deeper", eye="e", nail="c")
    with pytest.raises(AssayError, match=r"means 2 results.*deeper on .*deeper on"):
        history.find("deeper")
    assert history.find(other, EYE) == (EYE, "e")


def test_the_work_tree_is_what_its_files_are(history: History) -> None:
    history.commit(eye="f")
    (history.folder / f"models/{NAIL}/run.json").unlink()
    found = find_result(history.folder, history.results(), ".")
    assert (history.letter(found.result), found.commit) == ("f", history.git("rev-parse", "HEAD"))
    history.digest("f", f"models/{EYE}/run.json")
    (history.folder / "src/code.py").write_text("2\n")
    assert find_result(history.folder, history.results(), ".").commit == ""


def test_a_version_is_asked_of_the_registry(history: History) -> None:
    """A promotion's git tag has the same name, and holds results of other tasks too."""
    history.git("tag", f"{EYE}/v3")
    digests = {history.letter(each): each.digest for each in history.results()}
    assert history.find(f"{EYE}/v3", named=lambda _: digests["a"]) == (EYE, "a")
    assert history.find(f"{EYE}@champion", named=lambda _: digests["d"]) == (EYE, "d")
    with pytest.raises(AssayError, match="no result has this name"):
        history.find(f"{EYE}/v3", named=lambda _: "imported")
    assert history.find("first", named=lambda _: pytest.fail("not a version")) == (EYE, "a")


def test_one_name_decides_the_task_of_the_other(history: History) -> None:
    pair = find_two(history.folder, history.results(), ("HEAD", "deeper"))
    assert [history.letter(found.result) for found in pair] == ["b", "d"]
    history.experiment("redder", eye="b", nail="f")
    with pytest.raises(AssayError, match=f"different tasks: {NAIL}; {EYE}"):
        find_two(history.folder, history.results(), ("redder", "deeper"))
    pair = find_two(history.folder, history.results(), ("redder", "deeper"), EYE)
    assert [history.letter(found.result) for found in pair] == ["b", "d"]


def test_an_unknown_name_is_told_with_the_nearest(history: History) -> None:
    with pytest.raises(AssayError, match=r"looked among 4 results(.|\n)*for example deeper\n"):
        history.find("deper")
    with pytest.raises(AssayError, match="for example deeper, first, main, HEAD"):
        history.find("--all")
