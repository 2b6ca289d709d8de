"""Latency of the two modes of pills: milliseconds a photograph, from its file to the names of its drugs.

    python benchmarks/pills_latency.py [--study] [--yolo n] [--threads 1] [--photographs 20]

Phantom photographs of the published size (976 × 1280 px, PNG), each by itself: read, letterboxed, then
`single` (the classifier on the whole photograph) and `combo` (the detector, then the classifier on the
three or four pills that are there: networks are untrained, and what they would find takes no other time
than what is there). By default the demo's networks; `--study` takes YOLO11m at 640 px and
EfficientNetV2-S at 384 px, as their recipes say. Goal of stages 3 and 4: p95 of 200 ms or less, on a
GPU; predictions are made by the processor alone, and this is what it takes. CPU time is told beside: on a
busy machine it is the truer figure.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from assay.commands.run import read_recipe
from assay.lookup import find_system, find_task
from assay.manifest.images import open_image
from assay.manifest.rows import Rows
from assay.manifest.source import Source
from assay.params import read_params
from assay.params_check import laid_over
from assay.systems.pills.data.codes import ClassTable
from assay.systems.pills.pipelines import reading
from assay.systems.pills.pipelines.combo_params import CLASSIFIER, DETECTOR, ComboParams
from assay.systems.pills.tasks import detector_model
from assay.systems.pills.tasks.classifier_network import build
from assay.values import typed

ROOT = Path(__file__).parents[1]
STUDY = {CLASSIFIER: "efficientnetv2_s_384", DETECTOR: "yolo11m_640"}
DRUGS = 4523  # classes of AI-Hub 576
TABLE = ClassTable(tuple(f"K-{number:06d}" for number in range(DRUGS)))
WARM_UP = 3


def parameters(study: bool, yolo: str | None) -> dict[str, Any]:
    """Return `params.yaml`, under the recipes of the study where it is asked for."""
    content = read_params(ROOT / "params.yaml")
    for name, recipe in STUDY.items() if study else ():
        content = laid_over(content, read_recipe(ROOT, ROOT / "recipes" / name / f"{recipe}.yaml"))
    changed = {"pills-classifier.model.weights": "none"}
    return laid_over(content, changed | ({f"{DETECTOR}.model.size": yolo} if yolo else {}))


def photographs(root: Path, content: dict[str, Any], count: int) -> Any:
    """Write a phantom of the published size, and return the rows of its photographs."""
    system: Any = find_system("pills")
    angles = -(-(count + WARM_UP) // 2)  # of either combination, and of each drug
    designs = content["pills"]["phantom"] | {
        "classes": 4, "combinations": 2, "sessions": 1, "angles": angles, "width": 976,
    }  # fmt: skip
    (root / "set").mkdir()
    system.phantom(root / "set", system.params.model_fields["phantom"].annotation(**designs))
    return system.read(Source("set", root)).table


def networks(content: dict[str, Any], threads: int) -> tuple[Any, Any, int]:
    """Return detector and classifier as functions of photographs, and the side of cuts."""
    detector: Any = typed(content, DETECTOR, find_task(DETECTOR).params)
    classifier: Any = typed(content, CLASSIFIER, find_task(CLASSIFIER).params)
    network, _ = build(classifier.model, "none", np.arange(DRUGS), np.ones(DRUGS, dtype=np.int64))

    def as_asked(params: Any) -> Any:
        how = params.train.model_copy(update={"threads": threads})
        return params.model_copy(update={"train": how})

    finds = detector_model.build(detector.model.size, 1).eval()
    task: Any = find_task(CLASSIFIER)
    return (
        partial(detector_model.predict, finds, None, as_asked(detector)),
        partial(task.learner(as_asked(classifier)).predict, network.eval()),
        classifier.model.size,
    )


def main() -> None:
    """Print median and p95 of each mode, and of its parts."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--study", action="store_true")
    asked.add_argument("--yolo", choices=tuple("nsmlx"))
    asked.add_argument("--threads", type=int, default=1)
    asked.add_argument("--photographs", type=int, default=20)
    given = asked.parse_args()
    content = parameters(given.study, given.yolo)
    use = typed(content, "pills-combo", ComboParams).use
    size = content["pills"]["ingest"]["size"]
    detect, classify, side = networks(content, given.threads)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        table = photographs(root, content, given.photographs)
        source = Source("set", root)
        for mode, kept in (("single", "single"), ("combo", "combination")):
            rows = table.filter(mode=kept).head(given.photographs + WARM_UP)
            times = [
                timed(source, row, size, mode, (detect, classify, side), use)
                for row in rows.iter_rows(named=True)
            ]
            show(mode, times[WARM_UP:], given.threads)


def timed(
    source: Source, row: dict[str, Any], size: int, mode: str, asked: Any, use: Any
) -> dict[str, float]:
    """Read one photograph, and return the time of each part in ms."""
    detect, classify, side = asked
    uri = source.uri(row["uri"])
    busy, clock = time.process_time(), [time.perf_counter()]
    opened = open_image(source, uri, source.stamp(uri), size, fit="letterbox")
    assert opened.pixels is not None
    place = np.array([list(box) for box in row["boxes"]])
    true = reading.Boxes(np.zeros(len(place), np.int64), place, np.ones(len(place)))
    columns = {"width": np.array([opened.width]), "height": np.array([opened.height])}
    seen = Rows({"image": opened.pixels[None].copy()}, columns)
    clock.append(time.perf_counter())
    if mode == "combo":
        reading.chosen(detect(seen), use)
    clock.append(time.perf_counter())
    if mode == "single":
        said = reading.name_whole(classify, seen, side)
    else:
        said = reading.name(classify, seen, true, side, use.padding)
    assert all(TABLE.code(number) for number in said.number.tolist())
    clock.append(time.perf_counter())
    parts = dict(zip(("open", "find", "name"), 1e3 * np.diff(clock), strict=True))
    spent = 1e3 * (time.process_time() - busy)
    return parts | {"all": sum(parts.values()), "cpu": spent, "pills": len(said.number)}


def show(mode: str, times: list[dict[str, float]], threads: int) -> None:
    """Print one mode."""
    found = {name: np.array([each[name] for each in times]) for name in times[0]}
    parts = ", ".join(f"{name} {np.median(found[name]):.0f}" for name in ("open", "find", "name"))
    print(
        f"{mode:7} median {np.median(found['all']):.0f} ms, p95 {np.percentile(found['all'], 95):.0f} ms"
        f" ({parts}; CPU {np.median(found['cpu']):.0f}) · {found['pills'].mean():.1f} pills"
        f" · {len(times)} photographs · {threads} thread(s)", flush=True,
    )  # fmt: skip


if __name__ == "__main__":
    main()
