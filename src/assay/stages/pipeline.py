"""Compose: what tasks say together of the validation rows, and how long a photograph takes them."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.contract.inputs import inputs_of
from assay.contract.scored import ensure_answers
from assay.learning.scoring import score
from assay.learning.summary import summary
from assay.manifest.images import open_image
from assay.manifest.parts import read_trainval
from assay.manifest.source import Source
from assay.manifest.storage import read_storage
from assay.pipeline import (
    bundle_of,
    by_fold,
    ensure_one_split,
    find_pipeline,
    read_models,
    seen_as,
)
from assay.runs.files import write_json
from assay.runs.record import RECORD
from assay.runs.scores import write_scores
from assay.stages.predictions import fold_by_fold, write_predictions

if TYPE_CHECKING:
    from assay.contract.scored import Floats
    from assay.manifest.rows import Rows
    from assay.pipeline import (
        Pipeline,
        PipelineParams,
        Reader,
        TrainedModel,
    )
    from assay.stages.launch import Stage

PHOTOGRAPHS = 40  # at most, that are timed in a mode
WARM_UP = 3  # of them, read once before the clock runs


def main(stage: Stage) -> None:
    """Write scores, tables, pictures and a record; the clock is logged."""
    pipeline = find_pipeline(stage.item)
    own = stage.params(pipeline.params)
    models = read_models(pipeline.parts)
    rows, facts = read_trainval(pipeline.data)
    ensure_one_split(pipeline.name, models, facts)
    folds, bundle = by_fold(models), bundle_of(pipeline)
    valid = rows.where(np.isin(rows.columns["fold"], list(folds)))
    pipeline.ensure_fits(own, models, valid)

    def said(fold: int, _: Rows, asked: Rows) -> Floats:
        mine = replace(bundle, fold=fold) if len(folds) > 1 else bundle
        return pipeline.predictor(mine, own)(asked)

    predictions = fold_by_fold(rows, list(folds), said)
    base = fold_by_fold(rows, list(folds), lambda _, *parts: pipeline.baseline(*parts))
    ensure_answers(pipeline, predictions, valid)
    labels = pipeline.labels(valid)
    groups, reports = valid.columns["group_id"], Path("reports") / pipeline.name
    scores = score(pipeline, predictions, base, labels, groups, own.evaluate)
    write_predictions(reports, valid, predictions, base, labels)
    scores |= pipeline.report(models, predictions, valid, reports)
    model = inputs_of(pipeline, rows) | {"outputs": predictions.shape[1]}
    if len(folds) > 1:
        scores["folds"], model["folds"] = len(folds), list(folds)
    write_scores(reports, scores, pipeline.short, pipeline.headline.metric)
    record = pipeline_record(stage, models, facts) | {"model": model, **bundle.record}
    write_json(Path("models") / pipeline.name / RECORD, record)
    print(summary(pipeline, scores, facts))
    for mode in pipeline.modes:
        if remark := pipeline.remark(mode, models):
            print(f"{pipeline.name}  {remark}")
    source = Source(read_storage(facts, pipeline.data, "split").base, stage.root)
    first = next(iter(folds.values()))
    times = latencies(pipeline, first, own, valid, source, stage.root)
    stage.events.note("latency", times)
    print("\n".join(latency_lines(pipeline.name, times)))


def pipeline_record(
    stage: Stage, models: Mapping[str, TrainedModel], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what MLflow's run is built from, and how the models were trained that it is made of."""
    trained = {task: model.bundle.record["params"][task] for task, model in models.items()}
    return {
        "task": stage.item, "stage": stage.name, "key": stage.key,
        "params": {**stage.declared, **trained}, "data": facts, "inputs": dict(stage.inputs),
    }  # fmt: skip


def latencies(
    pipeline: Pipeline,
    models: Mapping[str, TrainedModel],
    own: PipelineParams,
    rows: Rows,
    source: Source,
    root: Path,
) -> dict[str, Any]:
    """Return how long each mode takes from file to names, ms, and the device's name.

    Each photograph by itself, spread evenly over those that the mode is chosen for. A mode without a
    photograph's file at hand has none; remote files are not timed, since that is the network's time.
    """
    found: dict[str, Any] = {"device": device(models)}
    for mode in pipeline.modes:
        chosen = np.flatnonzero(pipeline.suited(mode, rows))
        uris = [str(uri) for uri in rows.columns["uri"][chosen]]
        files = [] if source.is_remote else [uri for uri in uris if source.stamp(uri).bytes > 0]
        if files:
            some = np.linspace(0, len(files) - 1, min(PHOTOGRAPHS, len(files))).round().astype(int)
            read = pipeline.reader(mode, models, own, root)
            seen = seen_as(pipeline.name, models)
            times = timed(read, source, [files[place] for place in some], *seen)
            found[mode] = {
                "median": round(float(np.median(times)), 2),
                "p95": round(float(np.percentile(times, 95)), 2), "photographs": len(times),
            }  # fmt: skip
    return found


def timed(read: Reader, source: Source, files: list[str], size: int, fit: str) -> list[float]:
    """Return the time of each file, from opening it to the names of what is on it, in ms."""
    times = []
    for uri in [*files[:WARM_UP], *files]:
        start = time.perf_counter()
        opened = open_image(source, uri, source.stamp(uri), size, fit=fit)
        if opened.pixels is not None:
            read(opened)
        times.append(1e3 * (time.perf_counter() - start))
    return times[min(WARM_UP, len(files)) :]


def latency_lines(name: str, times: Mapping[str, Any]) -> list[str]:
    """Return a line a mode."""
    modes = {mode: each for mode, each in times.items() if mode != "device"}
    if not modes:
        return [f"{name}  latency not measured: the photographs' files are not on this machine"]
    return [
        f"{name}  {mode}, from file to names: median {each['median']:.1f} ms, p95 {each['p95']:.1f} ms"
        f" · {each['photographs']} photographs · {times['device']}"
        for mode, each in modes.items()
    ]


def device(models: Mapping[str, TrainedModel]) -> str:
    """Return the GPU that is asked, or else the processor, and how many of its threads."""
    import torch

    from assay.learning.inference import device_at_hand

    if any(device_at_hand(model.params.train).type == "cuda" for model in models.values()):
        return str(torch.cuda.get_device_name())
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text(encoding="utf-8").splitlines() if cpus.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    threads = max(model.params.train.threads for model in models.values())
    plural = "" if threads == 1 else "s"
    return f"{next(named, platform.processor() or platform.machine())}, {threads} thread{plural}"
