"""`assay sync`: build the MLflow runs that files call for; idempotent, keyed by content digest.

What somebody, or a kill, did to such a run is put right, and told. Left alone are runs of somebody's own,
which have none of the tags below, and those whose result nothing holds any more: `assay gc` shows them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import track

from assay.runs.files import content_digest
from assay.runs.lock import held
from assay.runs.places import named_lock
from assay.tracking.children import bring_up_children, known_children
from assay.tracking.entries import iter_lock_entries
from assay.tracking.mlflow_run import log_file, write_run
from assay.tracking.projection import artifacts_of, project, revision_tags
from assay.tracking.results import DvcCache, join_results
from assay.tracking.stamp import note, noted, until_stable
from assay.tracking.store import all_runs, experiment_of, open_store, stored_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow import MlflowClient
    from mlflow.entities import Run

    from assay.tracking.children import Children
    from assay.tracking.projection import Projection
    from assay.tracking.results import Result

    Known = tuple[
        dict[str, Run], dict[str, Children]
    ]  # runs, and those below them; deleted ones too

RESULT = "assay.result"  # set last: a run without it was cut off, and is built anew
DRAFT = "assay.draft"
STUDY = "assay.study"  # of the runs of a search and its trials, which rest on no result
PART = "runs"  # of the store, as noted in its stamp


@dataclass
class Synced:
    """What a sync did.

    Attributes:
        created: how many runs.
        known: how many were there.
        absent: results that the DVC cache lacks.
        runs: result digest → MLflow run id.
        healed: what was not as the files say, and is again; a line each.
    """

    created: int = 0
    known: int = 0
    absent: list[str] = field(default_factory=list)
    runs: dict[str, str] = field(default_factory=dict)
    healed: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Return the counts as one line."""
        text = f"{self.created} run(s) added, {self.known} known"
        if self.absent:
            text += f", {len(self.absent)} known to git but not in the DVC cache of this clone"
            text += " (where a remote is set: dvc pull --run-cache --all-commits)"
        return text


def sync(root: Path) -> Synced:
    """Bring MLflow up to the files, and return what was done.

    Where neither results nor the store have changed since, MLflow is not asked, nor imported.

    Raises:
        MachineError: the store is another checkout's.
    """
    with held(named_lock(root, "sync"), "another sync runs; waiting"):
        results, cache = join_results(iter_lock_entries(root)), DvcCache(root)
        wanted = content_digest({each.digest: revision_tags(each) for each in results})
        runs = known_runs(root, wanted)
        absent = [each for each in results if each.digest not in (runs or {})]
        if runs is not None and not any(cache.path(each.record) for each in absent):
            return Synced(0, len(runs), [each.digest for each in absent], runs)
        done, state = until_stable(root, lambda: _bring_up(root, cache, results))
        note(root, PART, state, {"of": wanted, "runs": done.runs})
    return done


def known_runs(root: Path, wanted: str = "") -> dict[str, str] | None:
    """Return result digest → MLflow run id as last synced, or None where the store is not as it was then.

    Args:
        root: the repository's root.
        wanted: digest of the results and where they were sighted; empty for whatever was synced.
    """
    try:
        found = noted(root, PART)
        if found is None or wanted not in {"", found["of"]}:
            return None
        return {str(result): str(run) for result, run in found["runs"].items()}
    except (AttributeError, KeyError, TypeError):  # a note that somebody else made
        return None


def _bring_up(root: Path, cache: DvcCache, results: list[Result]) -> Synced:
    done, client = Synced(), open_store(root)
    known = {task: _known(client, root, task, done) for task in {each.task for each in results}}
    for result in track(results, "runs", disable=len(results) < 5, transient=True):
        found = known[result.task][0].get(result.digest)
        if found is not None:
            done.healed += _mend(client, root, cache, found, result)
            done.known += 1
            done.runs[result.digest] = found.info.run_id
            continue
        projection = project(result, cache, root)
        if projection is None:
            done.absent.append(result.digest)
            continue
        done.runs[result.digest] = _create(client, root, result, projection)
        done.created += 1
    for result in results:
        if result.digest in done.runs:
            _bring_up_children(client, root, cache, result, known[result.task], done)
    return done


def _bring_up_children(
    client: MlflowClient, root: Path, cache: DvcCache, result: Result, known: Known, done: Synced
) -> None:
    """Bring up what lies below a result's run; of a run that is new nothing is told."""
    run, own = known[0].get(result.digest), known[1].get(result.digest, {})
    said = bring_up_children(client, root, cache, result, done.runs[result.digest], own)
    done.healed += [f"{_name(run)}: {line}" for line in said if run is not None]


def _known(client: MlflowClient, root: Path, task: str, done: Synced) -> Known:
    """Return the task's runs by result, and those below them; half-built ones are removed."""
    from mlflow.entities import ViewType

    runs: dict[str, Run] = {}
    found = all_runs(client, experiment_of(client, root, task), ViewType.ALL)
    found.sort(key=_is_deleted, reverse=True)  # of two, the one that is not counts
    for run in found:
        if RESULT in run.data.tags:
            runs[run.data.tags[RESULT]] = run
        elif DRAFT in run.data.tags and not _is_deleted(run):
            client.delete_run(run.info.run_id)
            done.healed.append(f"{_name(run)}: half-built by a sync that was killed; deleted")
    children, removed = known_children(client, found)
    if removed:
        done.healed.append(
            f"{removed} training(s) of {task}: half-built by a sync that was killed; deleted"
        )
    return runs, children


def _mend(
    client: MlflowClient, root: Path, cache: DvcCache, run: Run, result: Result
) -> Iterator[str]:
    """Restore a run that was deleted, put files back, and bring its tags up; say the first two."""
    if _is_deleted(run):
        client.restore_run(run.info.run_id)
        yield f"{_name(run)}: was deleted; restored"
    folder = stored_path(root, run.info.artifact_uri)
    if folder is not None:
        files = artifacts_of(result, cache)
        lost = [name for name in files if not (folder / name).exists()]
        for name in lost:
            log_file(client, run.info.run_id, name, files[name])
        if lost:
            yield f"{_name(run)}: lacked {', '.join(lost)}; put back from the DVC cache"
    _retag(client, run, result)


def _is_deleted(run: Run) -> bool:
    return bool(run.info.lifecycle_stage == "deleted")


def _name(run: Run) -> str:
    return f"run {run.info.run_name} ({run.info.run_id[:8]})"


def _create(client: MlflowClient, root: Path, result: Result, shown: Projection) -> str:
    shown = replace(shown, tags={**shown.tags, DRAFT: result.digest})
    identity = write_run(client, experiment_of(client, root, result.task), shown)
    client.set_tag(identity, RESULT, result.digest)
    client.delete_tag(identity, DRAFT)
    return identity


def _retag(client: MlflowClient, run: Run, result: Result) -> None:
    """Add what was sighted since: a repeated, cached experiment gives the known run another name."""
    if DRAFT in run.data.tags:  # cut off between the last two tags
        client.delete_tag(run.info.run_id, DRAFT)
    for name, value in revision_tags(result).items():
        if value and run.data.tags.get(name) != value:
            client.set_tag(run.info.run_id, name, value)
