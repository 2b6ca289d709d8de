"""What a stage is judged by: one chain of results, from ingest to metrics, as `dvc.lock` proves it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from assay.contract.checks import Check
from assay.errors import AssayError
from assay.manifest.index import OK
from assay.manifest.layout import Layout
from assay.manifest.table import read_table
from assay.runs.claims import COUNTED, remarks
from assay.runs.files import read_json
from assay.runs.journal import read_journal, spool_path
from assay.runs.record import RECORD, WEIGHTS
from assay.systems.pills.compositions.combo import Combo
from assay.systems.pills.compositions.combo_sections import CLASSIFIER, DETECTOR
from assay.systems.pills.curriculum.lock import Lock
from assay.systems.pills.data.curriculum import STAGES
from assay.systems.pills.data.names import TEST
from assay.systems.pills.data.verdicts import Entry, Found, Interval
from assay.systems.pills.tasks.classifier import Classifier
from assay.values import undotted

if TYPE_CHECKING:
    from assay.systems.pills.data.curriculum import Goal

DATA = "pills"
STEPS = [f"{step}@{DATA}" for step in ("ingest", "validate", "similar", "split", "leakage")]
NAMING = [f"train@{CLASSIFIER}", f"evaluate@{CLASSIFIER}"]
BOTH = [*NAMING, f"train@{DETECTOR}", f"compose@{Combo.name}"]
TOGETHER = f"models/{Combo.name}/{RECORD}"
METRICS = f"reports/{CLASSIFIER}/metrics.json"


def judged(root: Path) -> tuple[Entry, list[Check]]:
    """Judge the stage that the results of this checkout are of.

    Raises:
        AssayError: they are stale, of no stage, or in no commit.
    """
    lock = Lock(root)
    stage, goal = trained_stage(lock)
    tasks = [CLASSIFIER] if goal.latency_ms is None else [CLASSIFIER, DETECTOR]
    chain = STEPS + (NAMING if goal.latency_ms is None else BOTH)
    files = [str(Layout(DATA).manifest), str(Layout(DATA).trainval), METRICS]
    files += [TOGETHER] if goal.latency_ms is not None else []
    made = lock.made(chain, files + [_weights(task) for task in tasks])
    commit = lock.commit()
    facts, checks = fullness(root, lock, goal)
    scores = read_json(root / METRICS)
    checks.append(accuracy(scores, facts, goal))
    times: Mapping[str, Any] = {}
    if goal.latency_ms is not None:
        times = latencies(root)
        checks.append(latency(times, goal.latency_ms))
    entry = Entry(
        stage=stage, passed=all(check.passed for check in checks),
        checks=[Found(name=each.name, passed=each.passed, expected=each.expected, found=each.found)
                for each in checks],
        score=Interval(**scores[Classifier.headline.metric]),
        weights={task: made[_weights(task)] for task in tasks},
        split_digest=facts["split_digest"], commit=commit, device=times.get("device", ""),
    )  # fmt: skip
    return entry, checks


def trained_stage(lock: Lock) -> tuple[Any, Goal]:
    """Return the stage that ingest had when this was trained, whatever `params.yaml` says by now."""
    first = STEPS[0]
    if first not in lock.stages:
        raise AssayError("dvc.lock", f"no results of {first}", mend=f"dvc repro {NAMING[-1]}")
    stage = undotted(lock.declared(first), f"{DATA}.ingest.stage")
    if stage not in STAGES:
        raise AssayError(
            f"{DATA}.ingest.stage", f"these results are of `{stage}`",
            f"one of {', '.join(map(str, STAGES))}", f"dvc exp run -S {DATA}.ingest.stage=1",
        )  # fmt: skip
    return stage, STAGES[stage]


def fullness(root: Path, lock: Lock, goal: Goal) -> tuple[dict[str, Any], list[Check]]:
    """Return the facts of the rows, and whether they are as many photographs and drugs as asked.

    A stage takes faulty photographs like others, so as many may lack as the label gate lets pass; a
    part of the training photographs that is locked as test set counts. Drugs are those of training and
    validation: no other is judged. Of the manifest two columns are read, none of labels.
    """
    table, facts = read_table(root / Layout(DATA).trainval, f"split@{DATA}")
    manifest = pl.scan_parquet(root / Layout(DATA).manifest).select("subset", "status")
    chosen = manifest.filter(pl.col("subset") != TEST).collect()
    usable = int((chosen["status"] == OK).sum())
    share = undotted(lock.declared(STEPS[0]), f"{DATA}.ingest.max_broken_share")
    least = math.ceil(goal.images * (1 - share))
    drugs = table["classes"].explode().n_unique()
    more = f"-S {DATA}.ingest.max_samples=all, or a source that holds them"
    return facts, [
        Check(
            "photographs", usable >= least,
            f"{goal.images:,} photographs, of which {share:.1%} may be broken",
            f"{usable:,} of {len(chosen):,} usable, {goal.images:,} asked", len(chosen), mend=more,
        ),
        Check(
            "drugs", drugs >= goal.classes, f"{goal.classes:,} drugs",
            f"{drugs:,} trained and validated, {goal.classes:,} asked", len(table), mend=more,
        ),
    ]  # fmt: skip


def accuracy(scores: Mapping[str, Any], facts: Mapping[str, Any], goal: Goal) -> Check:
    """Judge the headline of the classifier, unrounded; what weakens the number stands beside it."""
    metric = Classifier.headline.metric
    own, unseen = scores[metric], scores["unseen_share"]["value"]
    passed = own["value"] >= goal.accuracy
    sign = "≥" if passed else "<"
    told = (
        f"{metric} {own['value']:.4f} [{own['low']:.4f}, {own['high']:.4f}] {sign} {goal.accuracy}"
    )
    beside = remarks(scores, COUNTED.get(facts["group_kind"], "images"))
    if unseen > 0:
        beside.append(f"{unseen:.1%} of the pills, of drugs never trained, do not count")
    expected = f"{metric} of {goal.accuracy} or more on validation rows"
    return Check(
        "accuracy",
        passed,
        expected,
        " · ".join([told, *beside]),
        scores["rows"],
        mend="train further",
    )


def latencies(root: Path) -> Mapping[str, Any]:
    """Return what the newest run of the composition with these very inputs noted; empty where none."""
    record = read_json(root / TOGETHER)
    notes = [
        event for event in read_journal(spool_path(root, record["stage"], record["key"]))
        if event["event"] == "latency"
    ]  # fmt: skip
    return notes[-1] if notes else {}


def latency(times: Mapping[str, Any], limit: float) -> Check:
    """Judge the slower of the two modes."""
    again = f"dvc repro -f -s {BOTH[-1]}, where the photographs are"
    expected = f"p95 of every mode {limit:.0f} ms or less, from file to names"
    missing = [mode for mode in Combo.modes if mode not in times]
    if missing:
        found = f"{' and '.join(missing)} not measured on this machine"
        return Check("latency", False, expected, found, 0, mend=again)
    slow = max(Combo.modes, key=lambda mode: float(times[mode]["p95"]))
    passed = times[slow]["p95"] <= limit
    found = (
        f"p95 {times[slow]['p95']:.1f} ms ({slow}) {'≤' if passed else '>'} {limit:.0f} ms"
        f" on {times['device']}"
    )
    count = sum(times[mode]["photographs"] for mode in Combo.modes)
    return Check("latency", passed, expected, found, count, mend="a smaller or a faster network")


def _weights(task: str) -> str:
    return f"models/{task}/{WEIGHTS}"
