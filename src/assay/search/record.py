"""A study in MLflow: a run of the study, and below it a run of each ended trial; from its storage alone.

Idempotent: a run is keyed by the study's digest and the trial's number, and counts only when it has
ended, which is its last call. A kill here, or a server that is away, loses nothing: the same command, or
`assay sync`, adds what is absent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.runs.lock import held
from assay.runs.places import named_lock
from assay.search import storage
from assay.search.objective import CHOSEN, CURVE
from assay.search.pictures import draw
from assay.search.plan import FILE, read_plan, studies_folder
from assay.search.results import read_results, reason, trial_state, values_of
from assay.tracking.mlflow_run import METRICS_PER_CALL, NOTE, PARENT
from assay.tracking.store import experiment_of, open_store
from assay.tracking.sync import STUDY

if TYPE_CHECKING:
    import optuna
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run
    from optuna.trial import FrozenTrial

    from assay.search.plan import StudyPlan
    from assay.search.results import StudyResults

TRIAL = "assay.trial"
PICTURES = "pictures"
MOST = 50_000  # runs that one call of MLflow's takes
STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}


def record(study: optuna.Study, plan: StudyPlan, root: Path) -> int:
    """Bring MLflow up to the study and its pictures; return how many trials were added."""
    with held(named_lock(root, "sync"), "another sync runs; waiting"):
        results = read_results(plan, study)
        client = open_store(root)
        experiment = experiment_of(client, root, plan.task)
        known = _known(client, experiment, plan.title)
        own = known.get("")
        parent = own.info.run_id if own else _create_parent(client, experiment, results)
        missing = [trial for trial in results.trials if str(trial.number) not in known]
        for trial in missing:
            _create_trial(client, experiment, parent, results, trial)
        _update_parent(client, parent, results, plan.folder(root) / PICTURES)
        return len(missing)


def record_all(root: Path) -> Iterator[str]:
    """Record every study of this checkout; yield a line for each that had trials to add."""
    for path in sorted(studies_folder(root).glob(f"*/*/{FILE}")):
        plan, folder = read_plan(path.parent), path.parent
        if not (folder / storage.FILE).exists() and not os.environ.get(storage.URL):
            yield f"study {plan.title}: its storage is a database; name it with {storage.URL}"
            continue
        study = storage.open_study(plan, root)
        if not (folder / PICTURES).exists():
            draw(study, read_results(plan, study), folder / PICTURES)
        added = record(study, plan, root)
        if added:
            yield f"study {plan.title}: {added} trial(s) added"


def _known(client: MlflowClient, experiment: str, title: str) -> dict[str, Run]:
    """Return the study's runs by trial number, the study's own by ""; half-built ones are removed."""
    found: dict[str, Run] = {}
    for run in client.search_runs([experiment], f"tags.`{STUDY}` = '{title}'", max_results=MOST):
        number = run.data.tags.get(TRIAL, "")
        if run.info.status == "RUNNING" or number in found:
            client.delete_run(run.info.run_id)
        else:
            found[number] = run
    return found


def _create_parent(client: MlflowClient, experiment: str, results: StudyResults) -> str:
    plan = results.plan
    params = {
        **{f"space.{key}": plan.declared["space"][key] for key in plan.study.space},
        **{f"fixed.{key}": value for key, value in plan.study.fixed.items()},
        **{key: plan.declared[key] for key in ("objectives", "sampler", "pruner", "seed")},
    }
    start = min((_ms(trial.datetime_start) for trial in results.trials), default=0)
    tags = {
        STUDY: plan.title,
        "study": plan.name,
        "mlflow.source.name": f"assay search {plan.task}",
    }
    run = client.create_run(experiment, start, tags, f"search {plan.name}")
    _log(client, run.info.run_id, params, [])
    client.set_terminated(run.info.run_id, "FINISHED")
    return str(run.info.run_id)


def _create_trial(
    client: MlflowClient, experiment: str, parent: str, results: StudyResults, trial: FrozenTrial
) -> None:
    plan, start, end = results.plan, _ms(trial.datetime_start), _ms(trial.datetime_complete)
    tags = {
        STUDY: plan.title, TRIAL: str(trial.number), PARENT: parent, "state": trial_state(trial),
        "study": plan.name, NOTE: reason(trial) or results.shown(trial),
    }  # fmt: skip
    run = client.create_run(experiment, start, tags, f"{plan.name} {trial.number}")
    _log(client, run.info.run_id, plan.values(trial.params), _trial_metrics(trial, start, end))
    client.set_terminated(run.info.run_id, STATUS[trial_state(trial)], end)


def _trial_metrics(trial: FrozenTrial, start: int, end: int) -> list[Metric]:
    """Return the curve and the chosen epoch's row, under the names that other runs have."""
    curve = trial.user_attrs.get(CURVE, [])
    each = (end - start) // max(len(curve), 1)
    rows = [
        ("curve", row, start + each * place, row["epoch"]) for place, row in enumerate(curve, 1)
    ]
    rows.append(("final", trial.user_attrs.get(CHOSEN, {}), end, 0))
    return [
        _metric(f"{kind}/{name}", value, when, step)
        for kind, row, when, step in rows
        for name, value in row.items()
        if name != "epoch"
    ]


def _update_parent(client: MlflowClient, parent: str, results: StudyResults, folder: Path) -> None:
    """Bring the study's own run up: objectives of each trial, counts, pictures."""
    metrics = [  # the store keeps one of equal ones
        _metric(f"trial/{name}", value, _ms(trial.datetime_complete), trial.number)
        for trial in results.trials
        for name, value in zip(results.objectives, values_of(trial), strict=False)
    ]
    tags = {
        "trials": str(results.compared),
        "state": results.counts(),
        "best": results.best_line(),
        NOTE: f"{results.compared} trials: {results.best_line()} · the best of {results.compared}",
    }
    _log(client, parent, {}, metrics, tags)
    if folder.exists():
        client.log_artifacts(parent, str(folder), PICTURES)


def _log(
    client: MlflowClient, run: str, params: Mapping[str, Any], metrics: Sequence[Metric],
    tags: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    from mlflow.entities import Param, RunTag

    named = [Param(key, str(value)) for key, value in params.items()]
    client.log_batch(run, (), named, [RunTag(key, value) for key, value in (tags or {}).items()])
    for first in range(0, len(metrics), METRICS_PER_CALL):
        client.log_batch(run, metrics[first : first + METRICS_PER_CALL])


def _metric(name: str, value: float, when: int, step: float) -> Metric:
    from mlflow.entities import Metric

    return Metric(name, float(value), when, int(step))


def _ms(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1000) if moment else 0
