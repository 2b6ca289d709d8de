"""Writing one run into MLflow, in as few calls as its limits allow: a call costs up to 0.1 s."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from assay.tracking.curves import Point
    from assay.tracking.projection import Projection

METRICS_PER_CALL = 1000  # MLflow's limits of one log_batch
PARAMS_PER_CALL = 100
PARENT, NOTE = "mlflow.parentRunId", "mlflow.note.content"  # tags that MLflow's pages read
PAGE = ".html"


def write_run(client: MlflowClient, experiment: str, shown: Projection) -> str:
    """Make a run, and return its id; it is `FINISHED` by the last call, and by no other."""
    from mlflow.entities import Param

    run = client.create_run(
        experiment, start_time=shown.start, run_name=shown.name, tags=dict(shown.tags)
    )
    identity: str = run.info.run_id
    params = [Param(name, value) for name, value in shown.params.items()]
    for first in range(0, len(params), PARAMS_PER_CALL):
        client.log_batch(identity, params=params[first : first + PARAMS_PER_CALL])
    _log_points(client, identity, shown.points)
    if shown.datasets:
        _log_datasets(client, identity, shown.datasets)
    for name, path in shown.artifacts.items():
        log_file(client, identity, name, path)
    pages = [name for name in shown.artifacts if name.endswith(PAGE)]
    if pages:
        note = shown.tags.get(NOTE, "")
        client.set_tag(identity, NOTE, "\n\n".join([note, *_links(experiment, identity, pages)]))
    client.set_terminated(identity, "FINISHED", shown.end)
    return identity


def _links(experiment: str, identity: str, pages: Iterable[str]) -> list[str]:
    """Return a link to each page among a run's artifacts, as MLflow's description shows it."""
    place = f"#/experiments/{experiment}/runs/{identity}/artifacts"
    return [f"[{name}]({place}/{name})" for name in pages]


def _log_points(client: MlflowClient, identity: str, points: list[Point]) -> None:
    from mlflow.entities import Metric

    metrics = [Metric(each.name, each.value, each.time, each.step) for each in points]
    for first in range(0, len(metrics), METRICS_PER_CALL):
        client.log_batch(identity, metrics=metrics[first : first + METRICS_PER_CALL])


def _log_datasets(client: MlflowClient, identity: str, datasets: Mapping[str, str]) -> None:
    """Log each input with the digest that DVC gives it, so that a search by digest finds its runs."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = [
        DatasetInput(
            Dataset(name, digest, "local", json.dumps({"uri": name})),
            [InputTag("mlflow.data.context", "training")],
        )
        for name, digest in datasets.items()
    ]
    client.log_inputs(identity, datasets=inputs)


def log_file(client: MlflowClient, identity: str, name: str, path: Path) -> None:
    """Log a cached file under its own name; DVC's cache names it by digest."""
    folder, _, short = name.rpartition("/")
    with tempfile.TemporaryDirectory() as place:
        named = Path(place) / short
        named.symlink_to(path)
        client.log_artifact(identity, str(named), folder or None)
