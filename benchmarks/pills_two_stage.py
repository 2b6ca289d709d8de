"""Found and named: both tasks on photographs from a phone, put together, over five folds.

    python benchmarks/pills_two_stage.py <folder of pushin_aihub> [--folds 0,1] [key=value …]

Each fold by source photograph (copies stay together) trains recipes/pills-detector/pushin_320.yaml
and recipes/pills-classifier/pushin_crops.yaml on the other four, from nothing, one thread, then scores
both as `pipeline@pills-combo` does: finding, both together, the exact list; with
intervals by source photograph, and what a photograph takes from file to names. Epochs are chosen on
the very fold. Models and pictures of each fold lie in ./pills_two_stage, and those that lie there with
equal parameters are not trained again. `pills-detector.train.epochs=2` changes a parameter.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from pills_crops import DATA, ROOT, photographs
from ruamel.yaml import YAML

from assay.commands.run import read_recipe
from assay.contract.bundle import read_bundle
from assay.contract.task_rows import task_rows
from assay.learning.scoring import score
from assay.lookup import find_task
from assay.manifest.rows import Rows
from assay.manifest.source import Source
from assay.params import read_params
from assay.params_check import laid_over
from assay.pipeline import TrainedModel, find_pipeline
from assay.runs.events import EventLog
from assay.runs.files import content_digest, read_json
from assay.runs.record import HISTORY, RECORD
from assay.runs.run import Run
from assay.stages.pipeline import latencies, latency_lines
from assay.systems.pills.pipelines import combo_answers
from assay.values import typed

RECIPES = (
    "pills-detector/pushin_320",
    "pills-classifier/pushin_crops",
)  # the last one's sizes count
KEPT = Path("pills_two_stage").absolute()
COMBO: Any = find_pipeline(DATA)
SHOWN = ("finding_f1", "precision", "recall", "f1", "exact_list")
HEADLINES = {"pills-detector": "map50", "pills-classifier": "top1"}


def parameters(changed: list[str]) -> dict[str, Any]:
    """Return `params.yaml` under both recipes, and under what was asked for."""
    asked = (each.partition("=") for each in changed)
    more = {key: YAML(typ="safe").load(value) for key, _, value in asked}
    content = read_params(ROOT / "params.yaml")
    for name in RECIPES:
        content = laid_over(content, read_recipe(ROOT, ROOT / "recipes" / f"{name}.yaml"))
    content[COMBO.name]["use"]["max_det"] = content["pills-detector"]["model"]["max_det"]
    return laid_over(content, more)


def trained(name: str, rows: Rows, content: dict[str, Any], fold: int, work: Path) -> TrainedModel:
    """Train a task without one fold, or take what lies in `work`; print what it came to."""
    task = find_task(name)
    content[name]["train"]["fold"] = fold
    params: Any = typed(content, name, task.params)
    own = task_rows(task, rows, params)
    validates = own.columns["fold"] == fold
    facts = {"params": {name: content[name]}, "key": str(fold),
             "data": {"size": content[DATA]["ingest"]["size"], "fit": "letterbox"}}  # fmt: skip
    folder = work / f"{name}-{fold}-{content_digest([facts, rows.columns['digest'].tolist()], 8)}"
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(name, work, folder, folder, folder / "resume", EventLog(folder / "events"), facts)
    spent = time.process_time()
    if not (folder / RECORD).exists():
        with contextlib.redirect_stdout(io.StringIO()):
            task.fit(own.where(~validates), own.where(validates), params, run)
    record = read_json(folder / RECORD)
    head, *_, last = (folder / HISTORY).read_text(encoding="utf-8").splitlines()
    final = dict(zip(head.split(","), last.split(","), strict=True))
    metric = HEADLINES[name]
    print(
        f"fold {fold}  {name}: {metric} {record['chosen'][metric]:.3f}, last epoch"
        f" {float(final[metric]):.3f} · {(time.process_time() - spent) / 60:.1f} CPU min", flush=True,
    )  # fmt: skip
    return TrainedModel(read_bundle(folder), params)


def main() -> None:
    """Print a few lines a fold, and the means."""
    asked = argparse.ArgumentParser()
    asked.add_argument("folder", type=Path)
    asked.add_argument("--folds", help="a few of them, e.g. 0,1")
    asked.add_argument("changed", nargs="*", default=[])
    given = asked.parse_intermixed_args()
    content = parameters(given.changed)
    own = typed(content, COMBO.name, COMBO.params)
    every = range(content[DATA]["split"]["folds"])
    folds = [int(fold) for fold in given.folds.split(",")] if given.folds else every
    found = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        rows = photographs(given.folder.resolve(), work, content, "photograph")
        for fold in folds:
            models = {task: trained(task, rows, content, fold, KEPT) for task in COMBO.parts}
            inside = rows.columns["fold"] == fold
            pictures = KEPT / str(fold)
            train, valid = rows.where(~inside), rows.where(inside)
            said = combo_answers.predictor(models, own)(valid)
            base, labels = COMBO.baseline(train, valid), COMBO.labels(valid)
            groups = valid.columns["group_id"]
            scores = score(COMBO, said, base, labels, groups, own.evaluate)
            COMBO.report(models, said, valid, pictures)
            for metric in SHOWN:
                each = scores[metric]
                print(f"  {metric:12} {each['value']:.3f} [{each['low']:.3f}, {each['high']:.3f}]")
            times = latencies(COMBO, models, own, valid, Source("set", work), work)
            print(*latency_lines(f"fold {fold}", times), sep="\n", flush=True)
            found.append([scores[metric]["value"] for metric in SHOWN])
    for metric, mean in zip(SHOWN, np.mean(found, axis=0), strict=True):
        print(f"mean {metric} {mean:.3f}", flush=True)


if __name__ == "__main__":
    main()
