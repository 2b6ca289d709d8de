"""Fixtures: a whole project in one line, made from the work tree as it stands."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import assay.systems

ROOT = Path(__file__).parents[1]
TASK, DATA = "hemoglobin-conjunctiva", "hemoglobin.conjunctiva"
# The demo, shrunk: enough to run every stage, too little to learn much.
SMALL = {
    f"{DATA}.phantom.folder1": 15,
    f"{DATA}.phantom.folder2": 45,
    f"{DATA}.phantom.size": 40,
    f"{DATA}.ingest.size": 32,
    f"{DATA}.similar.nearest": 2,
    f"{DATA}.similar.null_pairs": 40,
    f"{DATA}.split.folds": 4,
    f"{TASK}.train.epochs": 3,
    f"{TASK}.train.warmup": 1,
    f"{TASK}.evaluate.resamples": 100,
}

# The toy stands outside the package; tests see it as if it had been copied in.
assay.systems.__path__.append(str(ROOT / "examples"))


def environment(**more: str) -> dict[str, str]:
    """Return a person's environment: the interpreter's folder first, nothing of the test's own.

    The shell is the plainest one: with dash, unlike bash, a stage has a shell between it and DVC
    unless its command says `exec`.
    """
    dropped = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "MLFLOW_TRACKING_URI")
    clean = {key: value for key, value in os.environ.items() if key not in dropped}
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    return {**clean, "PATH": path, "DVC_NO_ANALYTICS": "1", "SHELL": "/bin/sh", **more}


class Project:
    """A checkout of its own, with git and DVC."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str, fails: bool = False, **more: str) -> str:
        """Run a command in the project; return what it printed, both streams together."""
        done = subprocess.run(
            command, cwd=self.folder, env=environment(**more), text=True, timeout=570, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, f"{command} → {done.returncode}\n{done.stdout}"
        return done.stdout

    def assay(self, *arguments: str, fails: bool = False) -> str:
        """Run `assay` with the project's own code."""
        return self.run("python", "-m", "assay", *arguments, fails=fails, PYTHONPATH="src")

    def start(self, *command: str, log: Path) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own."""
        with log.open("wb") as stream:
            return subprocess.Popen(
                command, cwd=self.folder, env=environment(), stdout=stream, stderr=stream,
                start_new_session=True,
            )  # fmt: skip

    def set(self, **values: Any) -> None:
        """Change `params.yaml` by dotted keys (`__` for a hyphen is not needed: pass a dict)."""
        yaml = YAML()
        path = self.folder / "params.yaml"
        content = yaml.load(path)
        for dotted, value in values.items():
            *parents, last = dotted.split(".")
            section = content
            for parent in parents:
                section = section[parent]
            section[last] = value
        yaml.dump(content, path)

    def keep_only(self, data: str, task: str) -> None:
        """Take the other systems out of `dvc.yaml`: what is tested here is the platform."""
        yaml = YAML()
        path = self.folder / "dvc.yaml"
        content = yaml.load(path)
        tables = content["vars"][0]
        for table, kept in ((tables["systems"], data), (tables["tasks"], task)):
            for name in [name for name in table if name != kept]:
                del table[name]
        tables["compositions"] = {}
        yaml.dump(content, path)

    def commit(self, message: str = "State") -> str:
        """Commit everything, and return the commit."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "--allow-empty", "-m", message)
        return self.run("git", "rev-parse", "HEAD").strip()

    def json(self, path: str) -> Any:
        """Read a JSON file of the project."""
        return json.loads((self.folder / path).read_text(encoding="utf-8"))

    def bytes_of(self, *folders: str) -> dict[str, bytes]:
        """Return every file below the folders with its content."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for folder in folders
            for path in sorted((self.folder / folder).rglob("*"))
            if path.is_file() and path.suffix != ".gitignore"
        }


def _checkout(folder: Path) -> Project:
    """Copy what git would track of the work tree, and make it a repository of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file() and name != "dvc.lock":
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    project = Project(folder)
    project.run("git", "init", "-q", "-b", "main")
    project.run("git", "config", "user.name", "Test")
    project.run("git", "config", "user.email", "test@example.org")
    project.set(**SMALL)
    project.keep_only(DATA, TASK)
    project.commit("Start")
    return project


@pytest.fixture(autouse=True)
def no_store_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the store that a test before stated, as MLflow does when it is told one."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """Return a project in which nothing has run."""
    return _checkout(tmp_path / "project")


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the small pipeline once a session, also where several workers share it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, done = shared / "finished", shared / "finished.done"
    with (shared / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            project = _checkout(folder)
            project.run("dvc", "repro")
            project.commit("Train")
            done.touch()
    return folder


@pytest.fixture
def finished(finished_folder: Path, tmp_path: Path) -> Project:
    """Return a copy of a project whose pipeline has run and is committed."""
    folder = tmp_path / "project"
    shutil.copytree(finished_folder, folder, symlinks=True)
    return Project(folder)


@pytest.fixture
def real_data() -> Path:
    """Return the folder of real samples, or skip and say so."""
    place = Path(os.environ.get("ASSAY_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not place.is_dir():
        pytest.skip(f"no real samples at {place} (set ASSAY_REAL_DATA)")
    return place.resolve()
