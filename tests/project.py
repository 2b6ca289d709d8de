"""A whole project in a folder of its own, made from the work tree as it stands."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from assay.runs.scores import read_scores
from tests import inproc

ROOT = Path(__file__).parents[1]
TASK, DATA = "hemoglobin-conjunctiva", "hemoglobin.conjunctiva"
# The demo, shrunk: enough to run every stage, too little to learn much.
SMALL = {
    f"{DATA}.phantom.folder1": 15,
    f"{DATA}.phantom.folder2": 45,
    f"{DATA}.phantom.size": 40,
    f"{DATA}.ingest.size": 32,
    f"{DATA}.similar.n_neighbors": 2,
    f"{DATA}.similar.null_pairs": 40,
    f"{DATA}.split.folds": 4,
    f"{TASK}.train.epochs": 3,
    f"{TASK}.train.warmup_epochs": 1,
    f"{TASK}.evaluate.n_resamples": 100,
    "runtime.checkpoint_every": 1,
}

# What no stage and no verb reads.
UNREAD = (".ci", "benchmarks", "docs", "tests", "README.md", "requirements-dev.lock", "dvc.lock")


def environment(**more: str) -> dict[str, str]:
    """Return a person's environment: the interpreter's folder first, nothing of the test's own.

    The shell is the plainest one: with dash, unlike bash, a stage has a shell between it and DVC
    unless its command says `exec`.
    """
    dropped = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "MLFLOW_TRACKING_URI")
    clean = {key: value for key, value in os.environ.items() if key not in dropped}
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    return {**clean, "PATH": path, "DVC_NO_ANALYTICS": "1", "SHELL": "/bin/sh", **more}


def until(true: Callable[[], object]) -> None:
    """Wait for something that another process does, a minute at most."""
    for _ in range(1200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain")


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

    def assay(self, *arguments: str, fails: bool = False, **more: str) -> str:
        """Run `assay` in this process; the code is the work tree's, whose copy the project has."""
        code, said = inproc.verb(self.folder, arguments, environment(PYTHONPATH="src", **more))
        assert (code != 0) == fails, f"assay {arguments} → {code}\n{said}"
        return said

    def own(self, *arguments: str, fails: bool = False, **more: str) -> str:
        """Run `assay` in a process, with the project's own code: where that differs."""
        return self.run("python", "-m", "assay", *arguments, fails=fails, PYTHONPATH="src", **more)

    def dvc(self, *arguments: str, fails: bool = False, **more: str) -> str:
        """Run `dvc` in this process, and what it would start as well."""
        code, said = inproc.dvc(self.folder, arguments, environment(**more))
        assert (code != 0) == fails, f"dvc {arguments} → {code}\n{said}"
        return said

    def typed(self, line: str) -> str:
        """Do what a line says that a person was told to type; `assay` and `dvc` in this process."""
        here, said = {"assay": self.assay, "dvc": self.dvc}, ""
        for command in line.split(" && "):
            word, *arguments = shlex.split(command)
            said += here[word](*arguments) if word in here else self.run("sh", "-c", command)
        return said

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
        # Seen once: git took a change of equal length, made at once after a commit, for none.
        later = path.stat().st_mtime + 2
        os.utime(path, (later, later))

    def keep_only(self, data: str, task: str) -> None:
        """Take the other systems out of `dvc.yaml`: what is tested here is the platform."""
        yaml = YAML()
        path = self.folder / "dvc.yaml"
        content = yaml.load(path)
        tables = content["vars"][0]
        tables["code"] = [tables["systems"][data]["system"]]
        for table, kept in ((tables["systems"], data), (tables["tasks"], task)):
            for name in [name for name in table if name != kept]:
                del table[name]
        tables["pipelines"] = {}
        yaml.dump(content, path)

    def commit(self, message: str = "State") -> str:
        """Commit everything, and return the commit."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "--allow-empty", "-m", message)
        return self.run("git", "rev-parse", "HEAD").strip()

    def json(self, path: str) -> Any:
        """Read a JSON file of the project."""
        return json.loads((self.folder / path).read_text(encoding="utf-8"))

    def scores(self, task: str) -> dict[str, Any]:
        """Read the scores of a task."""
        return read_scores(self.folder / f"reports/{task}/scores.csv")

    def cached(self, digest: str) -> Path:
        """Return where DVC's cache holds a digest."""
        return self.folder / f".dvc/cache/files/md5/{digest[:2]}/{digest[2:]}"

    def bytes_of(self, *folders: str) -> dict[str, bytes]:
        """Return every file below the folders with its content."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for folder in folders
            for path in sorted((self.folder / folder).rglob("*"))
            if path.is_file() and path.suffix != ".gitignore"
        }


def listed() -> list[str]:
    """Return what git would track of the work tree, as far as a project needs it."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    return sorted(
        name
        for name in set(names)
        if name and name.partition("/")[0] not in UNREAD and (ROOT / name).is_file()
    )


def checkout(folder: Path) -> Project:
    """Copy the work tree, make it a repository of its own, and shrink its demo."""
    for name in listed():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    project = Project(folder)
    project.run("git", "init", "-q", "-b", "main")
    project.run("git", "config", "user.name", "Test")
    project.run("git", "config", "user.email", "test@example.org")
    project.set(**SMALL)
    project.keep_only(DATA, TASK)
    project.commit("Start")
    project.run("git", "repack", "-adq")  # 500 files fewer in each copy
    return project
