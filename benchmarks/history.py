"""What a verb costs after hundreds of experiments, in this build and in others.

    python benchmarks/history.py [experiments, 300] [--src CHECKOUT] [--verbs VERB ...] [--keep FOLDER]

A repository is generated: this checkout's files, its `dvc.lock` (47 stages) as the baseline, and on it
experiments as `dvc exp run` leaves them: `refs/exps/…`, a `dvc.lock` that differs in one training and
its evaluation (ten learning rates, as many seeds as it takes), two files of the run cache, and record,
history, metrics and predictions in DVC's cache, so that `assay sync` has runs to build. Each build gets
a copy of it. Verbs run in fresh processes, the builds in turn, first and second call, then once more
after one more experiment; `--src` adds another checkout, with its `.venv` where it has one.

Told are CPU seconds (user + system, git's with them) beyond imports: a second fresh process imports
what the verb had imported, and its CPU is taken off. Goal: results, compare and sync at most 2 s at the
second call; sync then imports no MLflow.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from ruamel.yaml import YAML

from assay.learning.scoring import score
from assay.lookup import find_task
from assay.runs.scores import as_table
from assay.sections.task import Evaluate

ROOT = Path(__file__).parents[1]
TASK, RATES, PATIENTS, EPOCHS = "hemoglobin-conjunctiva", 10, 40, 14
TRAIN, EVALUATE = f"train@{TASK}", f"evaluate@{TASK}"
RATE, SEED = "backbone_lr", "seed"
CURVES = ("train_loss", "valid_loss", "mae", "rmse", "r2", "lr_backbone", "lr_head")
HOW = Evaluate(n_resamples=100, confidence_level=0.95, seed=1, best_of=1)
NOTE = """
import json, os, sys
from assay.__main__ import main
try:
    main()
finally:
    with open(os.environ["MODULES"], "w") as stream:
        json.dump([name for name in sys.modules if name != "__main__"], stream)
"""
IMPORT = """
import contextlib, importlib, json, os
for name in json.load(open(os.environ["MODULES"])):
    with contextlib.suppress(Exception):
        importlib.import_module(name)
"""


class Repository:
    """A repository with a history that nobody trained.

    Args:
        folder: where it is made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0
        text = (ROOT / "dvc.lock").read_text(encoding="utf-8")
        head, *blocks = re.split(r"(?m)^  (?=\S)", text)
        self.head, self.blocks = head, {block.partition(":\n")[0]: block for block in blocks}
        self.yaml = YAML()
        self.yaml.width = 10_000
        listed = self.git("ls-files", "-z", cwd=ROOT)
        for name in filter(None, listed.split("\0")):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Benchmark")
        self.git("config", "user.email", "benchmark@example.org")
        self._record_others()
        (folder / "dvc.lock").write_text(self.head + self._joined(self.blocks), encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "Baseline")
        self.baseline = self.git("rev-parse", "HEAD")

    def git(self, *arguments: str, given: bytes | None = None, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or self.folder, input=given, check=True,
            capture_output=True,
        )  # fmt: skip
        return done.stdout.decode().strip()

    def experiments(self, count: int) -> None:
        """Add experiments, all by one git process."""
        stream = b"".join(self._commit(number) for number in range(self.count, self.count + count))
        self.count += count
        self.git("fast-import", "--quiet", given=stream)

    def _commit(self, number: int) -> bytes:
        blocks = self._trained(number)
        lock = (self.head + self._joined({**self.blocks, **blocks})).encode()
        params = (self.folder / "params.yaml").read_bytes() + f"# {number}\n".encode()
        ref = f"refs/exps/{self.baseline[:2]}/{self.baseline[2:]}/{name_of(number)}"
        said = f"commit {ref}\ncommitter B <b@example.org> {1_790_000_000 + number} +0000\n"
        files = [("dvc.lock", lock), ("params.yaml", params)]
        parts = [f"{said}data 0\nfrom {self.baseline}\n".encode()]
        parts += [
            f"M 100644 inline {name}\ndata {len(body)}\n".encode() + body + b"\n"
            for name, body in files
        ]
        return b"".join(parts)

    def _trained(self, number: int) -> dict[str, str]:
        """Return the two stages' part of the lock, and put what they made into the caches."""
        stages = {name: self._loaded(name) for name in (TRAIN, EVALUATE)}
        for stage in stages.values():
            chosen = stage["params"]["params.yaml"][f"{TASK}.train"]
            chosen[RATE], chosen[SEED] = (1 + number % RATES) / 1000, number // RATES
        train, evaluate = stages[TRAIN], stages[EVALUATE]
        made = self._files(number, train)
        for stage in (train, evaluate):
            for each in (*stage["deps"], *stage["outs"]):
                each["md5"] = made.get(each["path"], each["md5"])
            self._remember(stage)
        return {name: self._dumped(name, stage) for name, stage in stages.items()}

    def _files(self, number: int, train: Mapping[str, Any]) -> dict[str, str]:
        """Return path → md5 of what a training and its evaluation leave."""
        record = self._record(TASK, train)
        random = np.random.default_rng(number)
        labels = np.repeat(np.random.default_rng(0).normal(12, 2, PATIENTS), 3).astype(np.float32)
        said = labels * 0.5 + 6 + random.normal(size=len(labels)).astype(np.float32) / 2
        groups = np.repeat(np.arange(PATIENTS).astype(str), 3)
        columns = [values[:, None] for values in (said, np.full_like(labels, 12), labels)]
        scores = score(find_task(TASK), *columns, groups, HOW)
        table = pl.DataFrame(
            {
                "sample_id": [f"s{row:04d}" for row in range(len(labels))], "group_id": groups,
                **dict(zip(("prediction", "baseline", "label"), columns, strict=True)),
            }
        )  # fmt: skip
        predictions = BytesIO()
        table.write_parquet(predictions)
        curves = {name: random.random(EPOCHS) for name in CURVES}
        rows = pl.DataFrame({"epoch": range(EPOCHS), **curves})
        picture = {name: self._kept(f"{name} {number}".encode()) for name in ("a.png", "b.png")}
        folder = [{"md5": md5, "relpath": name} for name, md5 in picture.items()]
        models, reports = f"models/{TASK}", f"reports/{TASK}"
        return {
            f"{models}/run.json": self._kept(as_json(record)),
            f"{models}/history.csv": self._kept(rows.write_csv().encode()),
            f"{models}/weights.safetensors": self._kept(random.bytes(2000)),
            f"{reports}/preflight.json": self._kept(as_json({"number": number})),
            f"{reports}/scores.csv": self._kept(as_table(scores).encode()),
            f"{reports}/predictions.parquet": self._kept(predictions.getvalue()),
            f"{reports}/pictures": self._kept(as_json(folder), ".dir"),
        }

    def _record(self, task: str, train: Mapping[str, Any]) -> dict[str, Any]:
        """Return a run record as training writes it."""
        told = train["params"]["params.yaml"]
        inputs = {each["path"]: each["md5"] for each in train["deps"]}
        params = {name.removeprefix(f"{task}."): dict(part) for name, part in told.items()}
        data = {
            "source": "phantom", "group_kind": "patient", "provenance": "stated", "test": 0.1,
            "split_digest": "0" * 16, "test_digest": "1" * 16,
        }  # fmt: skip
        key = hashlib.md5(as_json([inputs, params])).hexdigest()[:16]
        return {
            "task": task, "stage": f"train@{task}", "key": key, "inputs": inputs, "data": data,
            "params": {task: params}, "chosen": {"epoch": 3, "mae": 1.0, "rmse": 1.2, "r2": 0.5},
            "model": {"outputs": 1, "image_size": 32, "channels": 3},
        }  # fmt: skip

    def _record_others(self) -> None:
        """Give each other task of the baseline a record, so that it is a run too; and its folders."""
        made: dict[str, str] = {}
        for name in self.blocks:
            stage, task = self._loaded(name), name.partition("@")[2]
            for each in stage["outs"]:
                if each["md5"].endswith(".dir"):
                    made[each["md5"]] = self._kept(b"[]", ".dir")
                if each["path"] == f"models/{task}/run.json" and name.startswith("train@"):
                    made[each["md5"]] = self._kept(as_json(self._record(task, stage)))
        for had, md5 in made.items():
            self.blocks = {key: block.replace(had, md5) for key, block in self.blocks.items()}

    def _kept(self, content: bytes, suffix: str = "") -> str:
        """Put content into DVC's cache, and return its digest."""
        md5 = hashlib.md5(content).hexdigest() + suffix
        path = self.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return md5

    def _remember(self, stage: Mapping[str, Any]) -> None:
        """Put a stage's run into DVC's run cache, under names as long as DVC's."""
        text = self._text(stage)
        key, value = (hashlib.sha256(word + text.encode()).hexdigest() for word in (b"k", b"v"))
        path = self.folder / ".dvc/cache/runs" / key[:2] / key / value
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def _loaded(self, name: str) -> Any:
        return YAML(typ="safe").load(f"  {self.blocks[name]}")[name]

    def _dumped(self, name: str, stage: Mapping[str, Any]) -> str:
        return "".join(
            f"  {line}\n" for line in self._text({name: stage}).splitlines()
        ).removeprefix("  ")

    def _text(self, content: Any) -> str:
        stream = StringIO()
        self.yaml.dump(content, stream)
        return stream.getvalue()

    @staticmethod
    def _joined(blocks: Mapping[str, str]) -> str:
        return "".join(f"  {block}" for block in blocks.values())


@dataclass(frozen=True)
class Build:
    """A checkout whose code is measured, and its copy of the repository."""

    name: str
    checkout: Path
    folder: Path

    def cpu(self, *verb: str) -> tuple[float, bool]:
        """Return a verb's CPU seconds beyond imports, and whether it imported MLflow."""
        own = self.checkout / ".venv/bin/python"
        python = str(own) if own.exists() else sys.executable
        with tempfile.NamedTemporaryFile() as modules:
            dropped = ("MLFLOW_TRACKING_URI", "PYTHONDONTWRITEBYTECODE")
            clean = {key: value for key, value in os.environ.items() if key not in dropped}
            place = {
                **clean, "PYTHONPATH": str(self.checkout / "src"), "MODULES": modules.name,
                "PATH": f"{Path(python).parent}{os.pathsep}{clean['PATH']}",
            }  # fmt: skip
            whole = cpu_seconds([python, "-c", NOTE, *verb], self.folder, place)
            imports = cpu_seconds([python, "-c", IMPORT], self.folder, place)
            return whole - imports, "mlflow" in json.loads(Path(modules.name).read_text())


def cpu_seconds(command: list[str], folder: Path, place: Mapping[str, str]) -> float:
    """Return user + system seconds of one run, children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, cwd=folder, env=place, capture_output=True, text=True, check=False
    )
    # The doctor's findings end with 1: nobody trained here, so files are missing.
    if done.returncode and "doctor" not in command:
        raise SystemExit(f"{command}\n{done.stdout}\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def as_json(content: Any) -> bytes:
    """Return content as a file of JSON."""
    return json.dumps(content, indent=2, sort_keys=True).encode()


def name_of(number: int) -> str:
    """Return an experiment's name."""
    return f"{TASK}-{number:04d}"


def show(what: str, builds: list[Build], verb: list[str]) -> None:
    """Run a verb in each build in turn, and print a line."""
    told = [build.cpu(*verb) for build in builds]
    ratios = "".join(f"  {seconds / max(told[0][0], 0.01):6.1f} ×" for seconds, _ in told[1:])
    cells = "".join(f"{cpu:9.2f} s {'MLflow' if mlflow else '':6s}" for cpu, mlflow in told)
    print(f"{what:28s}{cells}{ratios}", flush=True)


def main() -> None:
    """Generate, measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("experiments", nargs="?", type=int, default=300)
    parser.add_argument("--src", action="append", default=[], type=Path)
    parser.add_argument("--verbs", nargs="*")
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = chosen.keep or Path(place)
        made = Repository(folder / "made")
        made.experiments(chosen.experiments)
        builds = [
            Build(path.resolve().name, path.resolve(), folder / f"build{number}")
            for number, path in enumerate([ROOT, *chosen.src])
        ]
        for build in builds:
            shutil.copytree(made.folder, build.folder)
        print(f"{chosen.experiments} experiments, CPU seconds beyond imports")
        print(" " * 28 + "".join(f"{build.name[:16]:>18s}" for build in builds))
        verbs = {
            "results": ["results", TASK, "--over", f"train.{RATE}"],
            "compare": ["compare", name_of(0), name_of(1)],
            "sync": ["sync"],
            "models": ["models"],
            "doctor": ["doctor"],
            "gc": ["gc", "--keep-days", "36500"],  # so that DVC is asked what each experiment needs
        }
        for name in chosen.verbs or verbs:
            for call in ("first", "second"):
                show(f"{name}, {call}", builds, verbs[name])
        for build in builds:
            more = Repository.__new__(Repository)
            more.__dict__.update(made.__dict__, folder=build.folder)
            more.experiments(1)
        for name in chosen.verbs or verbs:
            show(f"{name}, one more", builds, verbs[name])


if __name__ == "__main__":
    main()
