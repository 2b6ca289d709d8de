"""The mirror: MLflow's registered models and git's tags, brought up to what the ledger says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.registry.ledger import entries
from assay.registry.mlflow_models import bring_up_model
from assay.registry.versions import digests_in, tasks_in, versions
from assay.runs.files import content_digest
from assay.runs.git import git, must_git, objects_of
from assay.runs.lock import held
from assay.runs.places import named_lock
from assay.tracking.results import DvcCache
from assay.tracking.stamp import note, noted, state_of, until_stable
from assay.tracking.store import open_store
from assay.tracking.sync import sync

if TYPE_CHECKING:
    from assay.registry.ledger import Entry
    from assay.tracking.sync import Synced

PART = "models"  # of the store, as noted in its stamp


def heal(root: Path) -> Synced:
    """Bring MLflow up to files and ledger, and print what was not so, a line each."""
    done = sync(root)
    for line in [*done.healed, *sync_models(root, done.runs)]:
        print(line, flush=True)
    return done


def sync_models(root: Path, runs: Mapping[str, str]) -> list[str]:
    """Bring versions, aliases and tags up to the ledger; return what was done, in words.

    Args:
        root: the repository.
        runs: result → MLflow run, as a sync just found them.
    """
    found = entries(root)
    if not found:
        return []
    with held(named_lock(root, "mirror"), "another process writes the registry"):
        wanted = _wanted(root, found, runs)
        before = state_of(root)
        lines: list[str] = []
        if noted(root, PART) != wanted:
            lines, state = until_stable(root, lambda: _bring_up(root, tasks_in(found), runs))
            note(root, PART, state, wanted)
    _mirror_tags(root)
    if before != state_of(root):
        sync(root)  # what it had noted was of the store as it was before
    return lines


def _wanted(root: Path, found: Sequence[Entry], runs: Mapping[str, str]) -> str:
    """Return a digest of all that decides what MLflow's registry should hold.

    It is the ledger, and which of its versions have a run, their commit and their files here.
    """
    facts, cache = [entry.facts for entry in found], DvcCache(root)
    results, commits = (
        list(dict.fromkeys(str(each[key]) for each in facts if each.get(key)))
        for key in ("result", "commit")
    )
    here = [
        [runs.get(result) for result in results],
        objects_of(root, [f"{commit}^{{commit}}" for commit in commits]),
        [cache.path(digest) is not None for digest in digests_in(facts)],
    ]
    return content_digest([[entry.commit for entry in found], here])


def _bring_up(root: Path, tasks: Sequence[str], runs: Mapping[str, str]) -> list[str]:
    client, lines = open_store(root), []
    for task in tasks:
        known = versions(root, task)
        lines += bring_up_model(client, root, known, runs) if known else []
    return lines


def _mirror_tags(root: Path) -> None:
    """Pin the commit of each version by a tag, so that garbage collection of git and DVC spares it.

    A version whose commit this clone lacks has none. Plain tags are the same in every clone.
    """
    known = git(root, "tag", "-l").splitlines()
    for task in tasks_in(entries(root)):
        for version in versions(root, task):
            if version.tag not in known and git(root, "cat-file", "-t", version.commit) == "commit":
                must_git(root, "update-ref", f"refs/tags/{version.tag}", version.commit)
