"""MLflow's runs against the files that they show: orphans, half-built runs, lost artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from assay.composition import compositions
from assay.doctor.finding import Finding, Report
from assay.doctor.mends import SYNC, in_mlflow, rebuilt
from assay.doctor.registry import NO_STORE
from assay.lookup import all_tasks
from assay.registry.ledger import entries
from assay.registry.versions import tasks_in, versions
from assay.tracking.entries import sighted_entries
from assay.tracking.projection import project
from assay.tracking.results import Cache, join
from assay.tracking.store import all_runs, has_store, lies_elsewhere, open_store, store_folder
from assay.tracking.sync import DRAFT, RESULT, STUDY

if TYPE_CHECKING:
    from mlflow.entities import Run

    from assay.tracking.results import Result


def check_runs(root: Path) -> Report:
    """Compare each run that a sync made with what commits, experiments and the DVC cache hold."""
    from mlflow.entities import ViewType

    if not has_store(root):
        return Report("runs", "not looked at", hints=[NO_STORE])
    client, cache = open_store(root), Cache(root)
    results = {result.digest: result for result in join(sighted_entries(root))}
    named = tasks_in(entries(root))
    registered = {v.result: v.task for task in named for v in versions(root, task)}
    findings, count, foreign = [], 0, 0
    for task in sorted({*named, *all_tasks(), *compositions()}):
        experiment = client.get_experiment_by_name(task)
        if experiment is None:
            continue
        if lies_elsewhere(root, experiment):
            findings.append(_moved(root, str(experiment.artifact_location)))
            break
        for run in all_runs(client, experiment.experiment_id, ViewType.ACTIVE_ONLY):
            count += 1
            found = _judge(root, cache, run, results, registered)
            findings += found
            foreign += not {RESULT, STUDY} & set(run.data.tags) and not found
    hints = [f"{foreign} run(s) of somebody's own: gc leaves them alone"] if foreign else []
    return Report("runs", f"{count} runs in MLflow", findings, hints)


def _moved(root: Path, place: str) -> Finding:
    return Finding(
        "MLflow store",
        f"its files lie in {place}: this checkout was copied or moved",
        f"below {store_folder(root)}",
        f"rm -r {store_folder(root)} && {SYNC}",
    )


def _judge(
    root: Path, cache: Cache, run: Run, results: dict[str, Result], registered: dict[str, str]
) -> list[Finding]:
    name, tags = f"run {run.info.run_name} ({run.info.run_id[:8]})", run.data.tags
    if RESULT not in tags:
        half = DRAFT in tags
        return (
            [Finding(name, "half-built by a sync that was killed", "whole", SYNC)] if half else []
        )
    digest = tags[RESULT]
    if digest not in results:
        if digest in registered:
            return []
        said = "no commit, experiment, work tree or run cache holds its result"
        forget = in_mlflow(root, f"delete_run({run.info.run_id!r})")
        return [Finding(name, said, "a result that can be found", forget)]
    lost = _lost_files(root, cache, run, results[digest])
    if not lost:
        return []
    mend = f"{in_mlflow(root, f'delete_run({run.info.run_id!r})')} && {SYNC}"
    if digest in registered:  # the version names its run
        mend = rebuilt(root, registered[digest], run.info.run_id)
    return [Finding(name, f"artifacts are gone: {', '.join(lost[:3])}", "its files", mend)]


def _lost_files(root: Path, cache: Cache, run: Run, result: Result) -> list[str]:
    """Return what the run should hold by its own files and does not; on another machine, nothing."""
    if not run.info.artifact_uri.startswith("file://"):
        return []
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    shown = project(result, cache, root)
    return [name for name in shown.artifacts if not (folder / name).exists()] if shown else []
