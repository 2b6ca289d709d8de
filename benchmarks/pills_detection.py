"""How well pills are found on photographs from a phone: 267 of them, 1,383 pills, one class.

    python benchmarks/pills_detection.py <folder of pushin_aihub> [fold 0-4] [key=value …]

One fold of five by source photograph (copies stay together), with recipes/pills-detector/pushin_320.yaml,
through the task's own fit. The epoch is chosen on the very fold that is scored, which flatters; the last
epoch's score stands beside it, and the baseline's. `key=value` changes the section: `train.epochs=20`.
About 10 CPU minutes a fold, one thread: mAP50 0.891, 0.955, 0.908, 0.918, 0.911 (goal 0.75 in 30 min).
"""

from __future__ import annotations

import csv
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from assay.contract.bundle import read_bundle
from assay.learning.scoring import score
from assay.lookup import find_system, find_task
from assay.manifest.groups import join_groups, spelling
from assay.manifest.index import OK, index_images
from assay.manifest.listing import deduplicate
from assay.manifest.rows import Rows
from assay.manifest.source import Source
from assay.manifest.store import ImageStore
from assay.params import read_params
from assay.runs.events import EventLog
from assay.runs.record import HISTORY
from assay.runs.run import Run
from assay.values import typed

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "pills-detector" / "pushin_320.yaml"
SYSTEM: Any = find_system("pills")
TASK = find_task("pills-detector")


def section(changes: list[str]) -> dict[str, Any]:
    """Return the parameters of the repository, of the recipe, and of `changes`, the last on top."""
    content = read_params(ROOT / "params.yaml")
    told = YAML(typ="safe").load(RECIPE.read_text(encoding="utf-8"))
    told |= {f"{TASK.name}.{key}": YAML(typ="safe").load(value)
             for key, _, value in (change.partition("=") for change in changes)}  # fmt: skip
    for key, value in told.items():
        name, part, knob = key.split(".")
        content[name][part][knob] = value
    return content


def rows_of(folder: Path, work: Path, content: dict[str, Any]) -> Rows:
    """Return the photographs with their folds, as the pipeline makes them."""
    data = typed(content, "pills", SYSTEM.params)
    shutil.copytree(folder, work / "set")
    source = Source("set", work)
    store = ImageStore(work / "images", data.ingest.size)
    listed = SYSTEM.chosen(SYSTEM.read(source).table, data.ingest)
    table = index_images(
        deduplicate(listed).sort("sample_id"), source, store, data.ingest.size, "pillow", SYSTEM.fit
    )
    table = table.with_columns(join_groups(spelling(table["group"]), table["digest"]))
    table = SYSTEM.masked(table, data.ingest).filter(status=OK)
    table = table.join(SYSTEM.parted(table, data.split), on="sample_id", maintain_order="left")
    images = np.array(store.pixels()[store.slots(table["digest"])])
    return Rows({"image": images}, {name: table[name].to_numpy() for name in table.columns})


def main(folder: Path, fold: int, changes: list[str]) -> None:
    """Train and score one fold, and print what came of it."""
    content = section([*changes, f"train.fold={fold}"])
    params = typed(content, TASK.name, TASK.params)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        rows = rows_of(folder, work, content)
        inside = rows.columns["fold"] == fold
        train, valid = rows.where(~inside), rows.where(inside)
        run = Run(TASK.name, work, work / "model", work / "reports", work / "resume",
                  EventLog(work / "events.jsonl"), {"key": "0", "params": {}})  # fmt: skip
        run.folder.mkdir()
        wall, cpu = time.time(), time.process_time()
        TASK.fit(train, valid, params, run)
        spent = (
            f"{(time.time() - wall) / 60:.1f} min, {(time.process_time() - cpu) / 60:.1f} CPU min"
        )
        said = TASK.predictor(read_bundle(run.folder), params)(valid)
        scores = score(TASK, said, TASK.baseline(train, valid), TASK.labels(valid),
                       valid.columns["group_id"], params.evaluate)  # fmt: skip
        history = list(csv.DictReader((run.folder / HISTORY).open()))
        TASK.pictures(said, valid, Path("pills_detection") / str(fold))
    print(
        f"fold {fold}: {len(train)} + {len(valid)} photographs, {scores['groups']} sources · {spent}"
    )
    for metric in ("map50", "map50_95", "precision", "recall", "f1", "whole", "skill"):
        own = scores[metric]
        print(f"  {metric:9} {own['value']:.3f} [{own['low']:.3f}, {own['high']:.3f}]")
    last = history[-1]
    print(f"  last epoch: map50 {float(last['map50']):.3f}, map50_95 {float(last['map50_95']):.3f}")
    print(f"  mean box: map50 {scores['baseline']['map50']:.3f}")


if __name__ == "__main__":
    given = [each for each in sys.argv[2:] if "=" not in each]
    main(
        Path(sys.argv[1]),
        int(given[0]) if given else 0,
        [each for each in sys.argv[2:] if "=" in each],
    )
