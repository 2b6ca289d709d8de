"""A repository whose history nobody trained: experiments as DVC leaves them, by their files alone."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from assay.runs.scores import as_table
from tests.conftest import TASK

PAGE = b"<!doctype html><title>report</title><h1>Steps of a report</h1>"
CHOSEN = 1  # of the epochs of a training
MODELS, REPORTS = f"models/{TASK}", f"reports/{TASK}"


class History:
    """A repository below `folder` with git, DVC's folder, and results in DVC's cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".dvc").mkdir(parents=True)
        (folder / ".dvc/config").touch()
        (folder / ".gitignore").write_text(".assay\n.dvc/cache\n.dvc/tmp\n")
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Test")
        self.git("config", "user.email", "test@example.org")
        self.lock(0)
        self.baseline = self.commit("Baseline")

    def copied(self, folder: Path) -> History:
        """Return a copy in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        copy = History.__new__(History)
        copy.folder, copy.baseline = folder, self.baseline
        return copy

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def lock(self, number: int, trainings: int = 0) -> None:
        """Write the lock of a training, or a grid of them, and its evaluation; their files are cached."""
        (self.folder / "dvc.lock").write_text(lock_text(**self._made(number, trainings)))

    def experiment(self, name: str, number: int, trainings: int = 0) -> str:
        """Add an experiment on the baseline, as `dvc exp run` leaves it; the work tree stays."""
        self.lock(number, trainings)
        commit = self.commit(name)
        self.git("reset", "-q", "--hard", self.baseline)
        self.git("update-ref", f"refs/exps/{self.baseline[:2]}/{self.baseline[2:]}/{name}", commit)
        return commit

    def cached(self, digest: str) -> Path:
        return self.folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:]

    def keep(self, content: bytes, kind: str = "") -> str:
        digest = hashlib.md5(content).hexdigest() + kind
        self.cached(digest).parent.mkdir(parents=True, exist_ok=True)
        self.cached(digest).write_bytes(content)
        return digest

    def keep_folder(self, files: dict[str, bytes]) -> str:
        """Put a folder into the cache, as DVC does; return its digest."""
        inside = [{"md5": self.keep(content), "relpath": name} for name, content in files.items()]
        return self.keep(json.dumps(inside).encode(), ".dir")

    def _made(self, number: int, trainings: int) -> dict[str, dict[str, str]]:
        record: dict[str, Any] = {
            "task": TASK, "stage": f"train@{TASK}", "key": f"{number:016x}",
            "inputs": {"data/d/trainval.npy": "1" * 32, "requirements.lock": "2" * 32},
            "params": {TASK: {"train": {"seed": number}}},
            "data": {"source": "phantom", "group_kind": "patient", "provenance": "stated"},
        }  # fmt: skip
        parts = {"value": number / 7, "low": 0.1, "high": 0.9}
        scores: dict[str, Any] = {
            "mae": parts,
            "r2": parts,
            "skill": parts,
            "groups": 12,
            "rows": 20,
            "metrics_version": 1,
        }
        history = f"epoch,mae\n0,{number}\n1,{number}\n"
        if trainings:
            record["jobs"] = [job(number, place) for place in range(trainings)]
            history = grid_history(record["jobs"])
        train = {
            f"{MODELS}/history.csv": history.encode(),
            f"{MODELS}/run.json": json.dumps(record).encode(),
            f"{MODELS}/weights.safetensors": f"weights {number}".encode(),
        }
        evaluate = {f"{REPORTS}/scores.csv": as_table(scores).encode()}
        made = {
            "train": {path: self.keep(content) for path, content in train.items()},
            "evaluate": {path: self.keep(content) for path, content in evaluate.items()},
        }
        if trainings:
            tables = self.keep_folder({"report.html": PAGE, "steps.csv": b"step\n1\n"})
            made["evaluate"][f"{REPORTS}/tables"] = tables
        return made


def job(number: int, place: int) -> dict[str, Any]:
    """Return what a record says of a training of a grid: a phase of 2 folds, then another, and so on."""
    configuration, fold = divmod(place, 2)
    return {
        "name": f"p{configuration % 2 + 1}-net_{configuration}.in1k", "fold": fold,
        "key": f"{number:08x}{place:08x}", "is_finalist": configuration < 2,
        "params": {"backbone": f"net_{configuration}.in1k", "hidden": [512, 256], "epochs": 2},
        "chosen": {"epoch": CHOSEN, "mae": place / 8},
    }  # fmt: skip


def grid_history(jobs: list[dict[str, Any]], metrics: int = 0, epochs: int = 2) -> str:
    """Return the history of all; the second phase has one epoch more, and `depth` of its own."""
    more = [f"m{n}" for n in range(metrics)]
    lines = [",".join(["job", "fold", "epoch", "mae", "depth", *more])]
    for place, each in enumerate(jobs):
        is_second = each["name"].startswith("p2")
        for epoch in range(epochs + is_second):
            own = [place, each["fold"], epoch, place + epoch / 4, 0.5 if is_second else "nan"]
            lines.append(",".join(map(str, [*own, *(epoch / 7 + n for n in range(metrics))])))
    return "\n".join(lines) + "\n"


def lock_text(train: dict[str, str], evaluate: dict[str, str], *more: str) -> str:
    """Return a lock as DVC lays it out."""
    deps = {"data/d/trainval.npy": "1" * 32}
    return "".join(
        [
            "schema: '2.0'\nstages:\n",
            stage_text(f"train@{TASK}", deps, train),
            stage_text(f"evaluate@{TASK}", {**deps, **train}, evaluate),
            *more,
        ]
    )


def stage_text(name: str, deps: dict[str, str], outs: dict[str, str]) -> str:
    """Return one stage's part."""
    lines = [f"  {name}:", "    cmd: python -m assay.stages", "    deps:"]
    for title, files in (("", deps), ("    outs:", outs)):
        lines += [title] if title else []
        for path, digest in files.items():
            shown = f"'{digest}'" if digest.isdigit() else digest
            lines += [f"    - path: {path}", "      hash: md5", f"      md5: {shown}"]
    return "\n".join(lines) + "\n"
