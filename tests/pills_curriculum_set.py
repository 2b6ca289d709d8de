"""Checkouts with results of a stage of the pills curriculum, as the pipeline's stages leave them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from assay.__main__ import cli
from assay.learning.scoring import score
from assay.manifest.table import write_table
from assay.runs.files import file_digest, read_json, write_json
from assay.runs.journal import Journal, spool_path
from assay.sections.task import Evaluate
from assay.systems.pills.curriculum.judging import BOTH, STEPS
from assay.systems.pills.data.curriculum import STAGES
from assay.systems.pills.tasks.classifier import Classifier

TOGETHER = "models/pills-combo/run.json"
WEIGHTS = "models/pills-classifier/weights.safetensors"
METRICS = "reports/pills-classifier/metrics.json"
OUTS = {
    "ingest": ["data/pills/manifest.parquet"], "split": ["data/pills/trainval.parquet"],
    "train@pills-classifier": [WEIGHTS], "evaluate@pills-classifier": [METRICS],
    "train@pills-detector": ["models/pills-detector/weights.safetensors"],
    "compose@pills-combo": [TOGETHER],
}  # fmt: skip


class Checkout:
    """A checkout as the stages leave it: tables, metrics, weights, a committed `dvc.lock`, a journal."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / ".dvc").mkdir(parents=True)
        self.git("init", "-q")

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        done = subprocess.run(
            ["git", *who, *arguments], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def trained(
        self, stage: Any = 1, top1: float = 0.8, usable: int | None = None, drugs: int | None = None
    ) -> None:
        """Leave results of a stage; all that it asks of the data, where nothing else is said."""
        goal = STAGES.get(stage, STAGES[1])
        count = np.arange(goal.images)
        rows = pl.DataFrame(
            {"subset": "train", "classes": count[:, None] % (drugs or goal.classes)}
        )
        status = np.where(count < (goal.images if usable is None else usable), "ok", "broken")
        tests = pl.DataFrame({"subset": ["test"] * 9, "status": ["ok"] * 9})
        facts = {"split_digest": f"split of {stage}", "group_kind": "session", "source": "phantom"}
        manifest = pl.concat([rows.select("subset", status=pl.Series(status)), tests])
        write_table(self.root / OUTS["ingest"][0], manifest, facts)
        write_table(self.root / OUTS["split"][0], rows.filter(pl.Series(status) == "ok"), facts)
        write_json(self.root / METRICS, scored(top1))
        for name in ("classifier", "detector"):
            path = self.root / "models" / f"pills-{name}" / "weights.safetensors"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"weights of {name}, stage {stage}, {top1}")
        write_json(self.root / TOGETHER, {"stage": BOTH[-1], "key": f"{stage} {top1}"})
        self.lock(stage)

    def lock(self, stage: Any) -> None:
        """Write `dvc.lock` as DVC does, each stage with the digests of those before it; commit it."""
        entries: dict[str, Any] = {}
        before: list[dict[str, str]] = []
        for name in [*STEPS, *BOTH]:
            outs = OUTS.get(name.partition("@")[0], OUTS.get(name, []))
            digests = [{"path": path, "md5": file_digest(self.root / path)} for path in outs]
            entries[name] = {"cmd": "…", "deps": [dict(each) for each in before], "outs": digests}
            before += map(dict, digests)
        ingest = {"stage": stage, "max_broken_share": 0.02}
        entries[STEPS[0]]["params"] = {"params.yaml": {"pills.ingest": ingest}}
        YAML().dump({"schema": "2.0", "stages": entries}, self.root / "dvc.lock")
        self.git("add", "dvc.lock")
        self.git("commit", "-q", "-m", f"Train stage {stage}")

    def timed(self, **p95: float) -> None:
        """Journal latencies as the composition does."""
        key = read_json(self.root / TOGETHER)["key"]
        times = {mode: {"median": 9.0, "p95": ms, "photographs": 40} for mode, ms in p95.items()}
        journal = Journal(spool_path(self.root, BOTH[-1], key))
        journal.note("start")
        journal.note("latency", {"device": "EPYC, 1 thread", **times})
        journal.note("end")

    def asked(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["curriculum", "pills", *arguments])


def scored(top1: float) -> dict[str, Any]:
    """Return the metrics of 1,000 pills of which so many are named."""
    labels = np.arange(1000) % 10
    said = np.where(np.arange(1000) < round(1000 * top1), labels, (labels + 1) % 10)
    probabilities, trivial = (
        np.eye(10, dtype=np.float32)[said],
        np.eye(10, dtype=np.float32)[0 * said],
    )
    how = Evaluate(n_resamples=100, confidence_level=0.95, seed=1, best_of=1)
    named = labels[:, None].astype(np.float32)
    return score(Classifier(), probabilities, trivial, named, np.arange(1000) // 20, how)
