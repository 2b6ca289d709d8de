"""A study in MLflow: a run of the study, and below it a run of each ended trial; from its storage alone.

Idempotent: what a run shows is keyed by the study's digest and the trial's number, and a trial's run
counts only when its last tag is set. Whoever is killed here, or finds no server, loses nothing: the same
command, or `assay sync`, adds what is absent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from assay.runs.files import content_digest, file_digest
from assay.runs.lock import held, holder_of
from assay.search.outcome import outcome
from assay.search.pictures import draw
from assay.search.plan import FILE, read_plan, studies_folder
from assay.search.storage import URL, Store
from assay.tracking.stamp import note, noted, until_stable
from assay.tracking.store import experiment_of, open_store
from assay.tracking.sync import STUDY

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

    from assay.search.outcome import Outcome, Tried

TRIAL, WHOLE, DRAWN = "assay.trial", "assay.trial.whole", "assay.study.pictures"
PARENT, NOTE = "mlflow.parentRunId", "mlflow.note.content"
PICTURES = "pictures"
PAUSE = 5  # seconds between looks, while trials run
PATIENCE = 60  # seconds that the end of a search waits for the tracker
PER_CALL = 1000
UNKNOWN = object()  # equal to nothing that was noted
STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}


def record(store: Store, root: Path, folder: Path | None = None) -> int:
    """Bring MLflow up to the study; return how many trials were added.

    Args:
        store: the study.
        root: the repository's root.
        folder: of pictures that have been drawn, to be shown in the study's run.
    """
    with held(root / ".assay" / "locks" / "sync.lock", "another sync runs; waiting"):
        found = outcome(store.plan, store.trials())
        client = open_store(root)
        experiment = experiment_of(client, root, store.plan.task)
        known = _known(client, experiment, store.plan.title)
        parent = known.pop("", None) or _create_parent(client, experiment, found)
        missing = [trial for trial in found.tried if str(trial.number) not in known]
        for trial in missing:
            _create_trial(client, experiment, parent.info.run_id, found, trial)
        _update_parent(client, parent, found, folder)
        return len(missing)


def record_all(root: Path) -> Iterator[str]:
    """Record every study of this checkout; yield a line for each that had trials to add."""
    for path in sorted(studies_folder(root).glob(f"*/*/{FILE}")):
        plan = read_plan(path.parent)
        if holder_of(path.parent / "driver.lock"):
            yield f"study {plan.title}: runs, and is recorded by its own search"
            continue
        if not (path.parent / "journal.log").exists() and not os.environ.get(URL):
            yield f"study {plan.title}: its storage is a database; name it with {URL}"
            continue
        part = f"study {plan.title}"
        if noted(root, part) == (_wanted(path.parent) or UNKNOWN):
            continue
        store, folder = Store(plan, root), path.parent / PICTURES
        there = folder.exists() or draw(store, outcome(plan, store.trials()), folder)
        shown = folder if there else None
        added, state = until_stable(root, partial(record, store, root, shown))
        note(root, part, state, _wanted(path.parent))
        if added:
            yield f"{part}: {added} trial(s) added"


def _wanted(folder: Path) -> str:
    """Return a digest of all that decides what MLflow should show of a study; none of a database's."""
    if os.environ.get(URL):
        return ""
    files = [folder / FILE, folder / "journal.log", *sorted((folder / PICTURES).glob("*.png"))]
    return content_digest({path.name: file_digest(path) for path in files})


class Recorder:
    """Records while trials run, in a thread: nobody waits for the tracker, or dies of it."""

    def __init__(self, store: Store, root: Path) -> None:
        self._store, self._root = store, root
        self._news, self._end = Event(), Event()
        self._pictures: Path | None = None
        self.away = ""
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def news(self) -> None:
        """Trials have ended."""
        self._news.set()

    def finish(self, pictures: Path | None) -> str:
        """Record what is left; return why something is, or an empty text."""
        self._pictures = pictures
        self._end.set()
        self._news.set()
        self._thread.join(PATIENCE)
        return "it does not answer" if self._thread.is_alive() else self.away

    def _work(self) -> None:
        while not self._end.is_set():
            self._news.wait()
            self._news.clear()
            if not self.away or self._end.is_set():
                self._try()
            self._end.wait(PAUSE)
        self._try()

    def _try(self) -> None:
        try:
            record(self._store, self._root, self._pictures)
            self.away = ""
        except Exception as fault:  # noqa: BLE001, MLflow's, its server's, the network's
            said = str(fault).strip().splitlines()
            self.away = (said[0] if said else type(fault).__name__)[:300]


def _known(client: MlflowClient, experiment: str, title: str) -> dict[str, Run]:
    """Return the study's runs by trial number, the study's own by ""; half-built ones are removed."""
    found: dict[str, Run] = {}
    token = None
    while True:
        page = client.search_runs(
            [experiment], f"tags.`{STUDY}` = '{title}'", max_results=1000, page_token=token
        )
        for run in page:
            number = run.data.tags.get(TRIAL, "")
            if (number and WHOLE not in run.data.tags) or number in found:
                client.delete_run(run.info.run_id)
            else:
                found[number] = run
        token = page.token
        if not token:
            return found


def _create_parent(client: MlflowClient, experiment: str, found: Outcome) -> Run:
    from mlflow.entities import Param

    plan = found.plan
    start = min((trial.start for trial in found.tried), default=time.time())
    run = client.create_run(
        experiment,
        start_time=int(start * 1000),
        run_name=f"search {plan.name}",
        tags={
            STUDY: plan.title,
            "study": plan.name,
            "mlflow.source.name": f"assay search {plan.task}",
        },
    )
    declared = {
        **{f"space.{key}": plan.declared["space"][key] for key in plan.study.space},
        **{f"fixed.{key}": value for key, value in plan.study.fixed.items()},
        **{key: plan.declared[key] for key in ("objectives", "sampler", "pruner", "seed")},
    }
    params = [Param(name, str(value)) for name, value in declared.items()]
    client.log_batch(run.info.run_id, params=params)
    return run


def _create_trial(
    client: MlflowClient, experiment: str, parent: str, found: Outcome, trial: Tried
) -> None:
    from mlflow.entities import Param

    start = int(trial.start * 1000)
    tags = {
        STUDY: found.plan.title, TRIAL: str(trial.number), PARENT: parent, "state": trial.state,
        "study": found.plan.name, NOTE: trial.reason or found.shown(trial),
    }  # fmt: skip
    run = client.create_run(
        experiment, start_time=start, run_name=f"{found.plan.name} {trial.number}", tags=tags
    )
    identity = run.info.run_id
    params = [Param(key, str(value)) for key, value in trial.params.items()]
    client.log_batch(identity, params=params)
    _log(client, identity, _trial_metrics(trial, start, int(trial.seconds * 1000)))
    end = start + int(trial.seconds * 1000)
    client.set_terminated(identity, STATUS[trial.state], end)
    client.set_tag(identity, WHOLE, "yes")


def _trial_metrics(trial: Tried, start: int, took: int) -> list[Metric]:
    """Return the curve and the chosen epoch's row, under the names that other runs have."""
    from mlflow.entities import Metric

    each = took // max(len(trial.curve), 1)
    curve = [
        Metric(f"curve/{name}", float(value), start + each * (place + 1), int(row["epoch"]))
        for place, row in enumerate(trial.curve)
        for name, value in row.items()
        if name != "epoch"
    ]
    final = [
        Metric(f"final/{name}", float(value), start + took, 0)
        for name, value in trial.chosen.items()
        if name != "epoch"
    ]
    return curve + final


def _update_parent(client: MlflowClient, parent: Run, found: Outcome, folder: Path | None) -> None:
    """Bring the study's own run up: best so far after each trial, counts, pictures."""
    identity = parent.info.run_id
    have = {
        name: {metric.step for metric in client.get_metric_history(identity, name)}
        for name in parent.data.metrics
    }
    _log(client, identity, [m for m in _history(found) if m.step not in have.get(m.key, ())])
    tags = {
        "trials": str(found.compared),
        "state": found.counts(),
        "best": found.best_line(),
        NOTE: f"{found.compared} trials: {found.best_line()} · the best of {found.compared}",
    }
    if folder is not None:
        shown = {path.name: file_digest(path) for path in sorted(folder.glob("*.png"))}
        tags[DRAWN] = content_digest(shown)
        if parent.data.tags.get(DRAWN) != tags[DRAWN]:
            client.log_artifacts(identity, str(folder), PICTURES)
    _tag(client, parent, tags)
    ended = len(found.tried) >= found.plan.study.trials or folder is not None
    if ended and parent.info.status == "RUNNING" and found.tried:
        last = max(trial.start + trial.seconds for trial in found.tried)
        client.set_terminated(identity, "FINISHED", int(last * 1000))


def _history(found: Outcome) -> list[Metric]:
    """Return each objective of every complete trial, and of one objective the best so far."""
    from mlflow.entities import Metric

    metrics, best = [], None
    for trial in found.ended("complete"):
        when = int((trial.start + trial.seconds) * 1000)
        pairs = zip(found.objectives, trial.values, strict=True)
        metrics += [Metric(f"trial/{name}", value, when, trial.number) for name, value in pairs]
        if len(found.objectives) == 1:
            [(name, aim)] = found.plan.study.objectives.items()
            pick = min if aim == "minimize" else max
            best = trial.values[0] if best is None else pick(best, trial.values[0])
            metrics.append(Metric(f"best/{name}", best, when, trial.number))
    return metrics


def _tag(client: MlflowClient, run: Run, tags: Mapping[str, str]) -> None:
    for name, value in tags.items():
        if run.data.tags.get(name) != value:
            client.set_tag(run.info.run_id, name, value)


def _log(client: MlflowClient, identity: str, metrics: Sequence[Any]) -> None:
    for first in range(0, len(metrics), PER_CALL):
        client.log_batch(identity, metrics=metrics[first : first + PER_CALL])
