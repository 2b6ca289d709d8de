"""`assay register`: register a committed model; the ledger says so first, MLflow shows it then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.contract.bundle import read_bundle
from assay.contract.combined import ensure_combines
from assay.contract.scored import scoring_stage
from assay.errors import RegistryError
from assay.lookup import find_scored
from assay.registry.committed import ensure_committed
from assay.registry.heal import heal, sync_models
from assay.registry.ledger import append
from assay.registry.origin import changed_source
from assay.registry.versions import CANDIDATE, current_aliases, versions
from assay.runs.files import file_digest, read_json
from assay.runs.lock import held
from assay.runs.places import named_lock
from assay.runs.record import RECORD
from assay.runs.scores import SCORES
from assay.tracking.entries import iter_lock_entries
from assay.tracking.results import join_results

if TYPE_CHECKING:
    from assay.tracking.results import Result


@dataclass(frozen=True)
class Candidate:
    """A registered version."""

    task: str
    number: int
    run: str
    is_new: bool


def register(root: Path, task: str, note: str = "") -> Candidate:
    """Register the work tree's model of `task`; a model that is a version already only gets the alias.

    Args:
        root: the repository.
        task: the task's name.
        note: what was learned, for the catalogue.

    Raises:
        RegistryError: `dvc.lock` is not committed, the stages are stale, or the files differ from it.
        AssayError: it is of several folds, which the task cannot combine.
    """
    scored = find_scored(task)
    stage = scoring_stage(scored)
    commit = ensure_committed(root, f"candidate {task}", stage)
    result = _result(root, task)
    bundle = read_bundle(root / "models" / task)
    ensure_combines(scored, bundle)
    _ensure_source_stands(root, bundle.record)
    runs = heal(root).runs
    if result.digest not in runs:
        raise RegistryError(
            f"candidate {task}",
            "the DVC cache does not hold this model",
            "its files and its record in .dvc/cache",
            f"dvc commit -f {stage}",
        )
    with held(named_lock(root, "candidate"), "another model is registered; waiting"):
        number, is_new = _enter(root, result, commit, note)
    sync_models(root, runs)
    return Candidate(task, number, runs[result.digest], is_new)


def _enter(root: Path, result: Result, commit: str, note: str) -> tuple[int, bool]:
    """Write the ledger's entry; return the version's number and whether it is new."""
    known = versions(root, result.task)
    same = next((each for each in known if each.result == result.digest), None)
    number = same.number if same else len(known) + 1
    stands = current_aliases(root, result.task)
    if same and number in {stands.candidate, stands.champion}:
        return number, False
    append(
        root,
        CANDIDATE,
        f"candidate {result.task}/v{number}",
        {
            "task": result.task,
            "version": number,
            "result": result.digest,
            "files": read_json(root / "models" / result.task / RECORD)["files"],
            "record": result.record,
            "commit": same.commit if same else commit,
            "note": note,
        },
    )
    return number, same is None


def _result(root: Path, task: str) -> Result:
    """Return the result whose files stand in the work tree."""
    record = file_digest(root / "models" / task / RECORD)
    metrics = file_digest(root / "reports" / task / SCORES)
    for result in join_results(iter_lock_entries(root)):
        outs = result.outs.values()
        if result.task == task and record in outs and metrics in outs:
            return result
    raise RegistryError(
        f"candidate {task}",
        "no commit holds this model",
        mend=f"dvc repro {scoring_stage(find_scored(task))}",
    )


def _ensure_source_stands(root: Path, record: Mapping[str, Any]) -> None:
    """Refuse a model whose source has changed since; one that is not reachable here is believed."""
    fault = changed_source(root, record)
    if fault:
        raise fault
