"""One result as MLflow sees it: params, curves, data sets, tags; computed from files alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.learning.summary import summary
from assay.lookup import all_scored
from assay.runs.events import events_path, read_events
from assay.runs.files import read_json
from assay.runs.record import HISTORY, smaller_batches
from assay.runs.scores import SCORES, read_scores
from assay.tracking.code import code_digest
from assay.tracking.curves import Point, curves

if TYPE_CHECKING:
    from assay.contract.scored import Scored
    from assay.tracking.results import DvcCache, Result

TAG_LENGTH = 8000  # letters; MLflow cuts a longer value off, and then it differs for ever
OWN_CHANGES = ("dvc.lock", "params.yaml")  # what every experiment changes; the rest is dirt


@dataclass(frozen=True)
class Projection:
    """What an MLflow run will hold; times in milliseconds."""

    name: str
    start: int
    end: int
    params: Mapping[str, str]
    points: list[Point]
    datasets: Mapping[str, str]
    tags: Mapping[str, str]
    artifacts: Mapping[str, Path]


def project(result: Result, cache: DvcCache, root: Path) -> Projection | None:
    """Return the projection of a result, or None where the DVC cache does not hold its record."""
    path = cache.path(result.record)
    if path is None:
        return None
    record = read_json(path)
    events = read_events(events_path(root, record["stage"], record["key"]))
    start, end = _times(result, events, path)
    inputs, artifacts = record["inputs"], artifacts_of(result, cache)
    return Projection(
        name=_name(result, record),
        start=start,
        end=end,
        params=flat(record["params"].get(result.task, {})),
        points=curves(artifacts.get(HISTORY), record, root, start)
        + _finals(artifacts.get(SCORES), end)
        + _latencies(events, end),
        datasets={name: digest for name, digest in inputs.items() if name.startswith("data/")},
        tags=_tags(result, record, events, artifacts.get(SCORES)),
        artifacts=artifacts,
    )


def artifacts_of(result: Result, cache: DvcCache) -> dict[str, Path]:
    """Return the artifacts of a result's run, as far as the DVC cache holds them: name → file there."""
    return {
        name: file
        for out, digest in result.outs.items()
        if not out.endswith(".safetensors")
        for name, file in cache.files(_short(out), digest).items()
    }


def revision_tags(result: Result) -> dict[str, str]:
    """Return the tags that grow when a result is sighted again."""
    named = [sighting for sighting in result.sightings if sighting.experiment]
    plain = [sighting for sighting in result.sightings if not sighting.experiment]
    tags = {
        "experiment": _listed(sighting.experiment for sighting in named),
        "baseline": _listed(sighting.baseline for sighting in named),
        "commits": _listed(sighting.commit[:12] for sighting in result.sightings),
    }
    for newest in (plain or named)[-1:]:
        tags["mlflow.source.git.commit"] = newest.commit
    return tags


def _listed(names: Iterable[str]) -> str:
    """Join names, each once; where MLflow would cut the text off, the last of them."""
    text = ", ".join(dict.fromkeys(names))
    if len(text) <= TAG_LENGTH:
        return text
    return "…, " + text[3 - TAG_LENGTH :].partition(", ")[2]


def _description(task: str, record: Mapping[str, Any], scores: Path | None) -> str:
    """Say the result in one line; a task that no longer exists keeps its numbers alone."""
    known = _known()
    if scores is None or task not in known:
        return ""
    said = summary(known[task], read_scores(scores), record["data"]), smaller_batches(record)
    return " · ".join(filter(None, said))


@cache
def _known() -> dict[str, Scored]:
    """Return tasks and pipelines by name; looked for once, since hundreds of results ask."""
    return all_scored()


def _tags(
    result: Result,
    record: Mapping[str, Any],
    events: list[dict[str, Any]],
    scores: Path | None,
) -> dict[str, str]:
    start = next((event for event in events if event["event"] == "start"), {})
    dirt = [line for line in start.get("changed", []) if not line.endswith(OWN_CHANGES)]
    data = record["data"]
    tags = {
        "stage": record["stage"],
        "key": record["key"],
        "code": code_digest(record["inputs"]),
        "dirty": "unknown" if not start else ("; ".join(dirt)[:4000] or "no"),
        "source": str(data.get("source", "")),
        "provenance": "unstated" if data.get("provenance") == "unstated" else "stated",
        "group_kind": str(data.get("group_kind", "")),
        "host": start.get("host", ""),
        "mlflow.source.name": f"dvc repro {record['stage']}",
        "mlflow.note.content": _description(result.task, record, scores),
    }
    sighted = revision_tags(result)
    # Before an experiment's commit exists, the event log alone knows its name.
    sighted["experiment"] = sighted["experiment"] or start.get("experiment", "")
    sighted["baseline"] = sighted["baseline"] or start.get("baseline", "")
    return tags | sighted


def _name(result: Result, record: Mapping[str, Any]) -> str:
    named = next((s.experiment for s in result.sightings if s.experiment), "")
    return named or str(record["key"])[:8]


def _times(result: Result, events: list[dict[str, Any]], record: Path) -> tuple[int, int]:
    """Take the event log's clock, else the first commit's, else the file's."""
    if events:
        return int(events[0]["time"] * 1000), int(events[-1]["time"] * 1000)
    committed = [sighting.time for sighting in result.sightings if sighting.time]
    moment = min(committed) if committed else int(record.stat().st_mtime)
    return moment * 1000, moment * 1000


def _finals(scores: Path | None, end: int) -> list[Point]:
    if scores is None:
        return []
    values = flat(read_scores(scores))
    return [Point(_final_name(name), float(value), 0, end) for name, value in values.items()]


def _latencies(events: list[dict[str, Any]], end: int) -> list[Point]:
    """Read what the clock said of a pipeline, ms; no output holds it."""
    told: Mapping[str, Any] = next(
        (event for event in reversed(events) if event["event"] == "latency"), {}
    )
    modes = {mode: each for mode, each in told.items() if isinstance(each, Mapping)}
    return [Point(f"latency/{name}", float(value), 0, end) for name, value in flat(modes).items()]


def _final_name(name: str) -> str:
    """Sort the final numbers into the UI's folding groups: values, intervals, the baseline's."""
    if name.startswith("baseline."):
        return f"final_baseline/{name.removeprefix('baseline.')}"
    if name.endswith((".low", ".high")):
        return f"final_interval/{name}"
    return f"final/{name.removesuffix('.value')}"


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested values as text, by dotted name."""
    found: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = str(value)
    return found


def _short(out: str) -> str:
    """Name an artifact: the path below `models/<task>/` or `reports/<task>/`."""
    return "/".join(Path(out).parts[2:])
