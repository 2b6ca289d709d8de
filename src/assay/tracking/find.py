"""Find a result by any of its names: experiment, commit, MLflow run, registered version, work tree."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import AssayError
from assay.runs.files import file_digest
from assay.runs.git import git
from assay.runs.record import RECORD
from assay.runs.scores import SCORES
from assay.tracking.store import DATABASE, STATED, open_store, store_folder
from assay.tracking.sync import RESULT, known_runs

if TYPE_CHECKING:
    from assay.tracking.results import Result

WORK_TREE = "."
CODE = ("src", "requirements.lock")
VERSION = re.compile(r"(.+)(?:/v\d+|@\w+)")
RUN = re.compile(r"[0-9a-f]{6,32}")  # an MLflow run id, or its beginning
Named = Callable[[str], str | None]


@dataclass(frozen=True)
class Found:
    """A result under the name that somebody gave.

    Attributes:
        name: as given.
        how: what it names, for people.
        commit: the commit whose code belongs to it; empty where none does.
        result: what was found.
    """

    name: str
    how: str
    commit: str
    result: Result


def find_result(
    root: Path, results: Sequence[Result], name: str, task: str = "", named: Named | None = None
) -> Found:
    """Return the one result that `name` means.

    Args:
        root: the repository's root.
        results: every known result (`results.join`).
        name: an experiment, a commit or tag, an MLflow run id or its beginning (6 letters or more),
            `<task>/v3`, `<task>@champion`, or `.` for the work tree.
        task: the task's name; a commit holds one result a task, and is ambiguous without.
        named: version name → digest of its result; from the registry, which is a floor above.

    Raises:
        AssayError: nothing has that name, or several results have.
    """
    return _only(name, readings(root, results, name, task, named))


def find_two(
    root: Path,
    results: Sequence[Result],
    names: tuple[str, str],
    task: str = "",
    named: Named | None = None,
) -> tuple[Found, Found]:
    """Return what two names mean; where one of them means one task, so does the other.

    Raises:
        AssayError: as `find_result`; or the two are of different tasks.
    """
    one, other = (readings(root, results, name, task, named) for name in names)
    tasks = [sorted({found.result.task for found in each}) for each in (one, other)]
    shared = set(tasks[0]) & set(tasks[1])
    if not shared:
        raise AssayError(
            f"{names[0]} and {names[1]}",
            f"different tasks: {', '.join(tasks[0])}; {', '.join(tasks[1])}",
            "two results of one task: between two sets there is no gain",
        )
    one, other = ([found for found in each if found.result.task in shared] for each in (one, other))
    return _only(names[0], one), _only(names[1], other)


def readings(
    root: Path, results: Sequence[Result], name: str, task: str = "", named: Named | None = None
) -> list[Found]:
    """Return every result that the name can mean, one entry a result.

    Raises:
        AssayError: there is none.
    """
    read: dict[str, Found] = {}
    for found in _read(root, results, name, task, named):
        if found.result.task == task or not task:
            read.setdefault(found.result.digest, found)
    if not read:
        raise _unknown(root, results, name, task)
    return list(read.values())


def _read(
    root: Path, results: Sequence[Result], name: str, task: str, named: Named | None
) -> Iterator[Found]:
    """Read the name in every way that it can be read."""
    if name == WORK_TREE:
        yield from _in_work_tree(root, results)
        return
    version = VERSION.fullmatch(name)
    if named is not None and version and version[1] in {result.task for result in results}:
        yield from _registered(results, name, named(name))
        return
    yield from _experiments(root, results, name, task)
    commit = git(root, "rev-parse", "-q", "--verify", "--end-of-options", f"{name}^{{commit}}")
    if commit:
        for result in _held_by(root, results, commit):
            yield Found(name, f"commit {commit[:7]}", commit, result)
    if RUN.fullmatch(name):
        yield from _runs(root, results, name)


def _in_work_tree(root: Path, results: Sequence[Result]) -> Iterator[Found]:
    """Find the results whose files stand in the work tree; HEAD is its commit where the code is clean."""
    clean = not git(root, "status", "--porcelain", "--", *CODE)
    commit = git(root, "rev-parse", "HEAD") if clean else ""
    for result in results:
        files = (f"models/{result.task}/{RECORD}", f"reports/{result.task}/{SCORES}")
        if all(
            (root / file).exists() and file_digest(root / file) == result.outs.get(file)
            for file in files
        ):
            yield Found(WORK_TREE, "work tree", commit, result)


def _registered(results: Sequence[Result], name: str, digest: str | None) -> Iterator[Found]:
    for result in results:
        if result.digest == digest:
            commit = result.sightings[0].commit if result.sightings else ""
            yield Found(name, "registered version", commit, result)


def _experiments(root: Path, results: Sequence[Result], name: str, task: str) -> Iterator[Found]:
    """Find experiments of that name; without a task, what they changed goes before what they kept."""
    named = [
        (sighting, result)
        for result in results
        for sighting in result.sightings
        if sighting.experiment == name
    ]
    kept = {
        result.digest
        for baseline in {sighting.baseline for sighting, _ in named}
        for result in _held_by(root, results, baseline)
    }
    made = [(sighting, result) for sighting, result in named if result.digest not in kept]
    for sighting, result in named if task or not made else made:
        how = f"experiment {name} on {sighting.baseline[:7]}"
        yield Found(name, how, sighting.commit, result)


def _held_by(root: Path, results: Sequence[Result], commit: str) -> list[Result]:
    """Return the results in a commit's `dvc.lock`: they were sighted where it last changed."""
    last = git(root, "log", "-1", "--format=%H", commit, "--", "dvc.lock")
    where = {commit, last}
    return [
        result
        for result in results
        if any(sighting.commit in where for sighting in result.sightings)
    ]


def _runs(root: Path, results: Sequence[Result], prefix: str) -> Iterator[Found]:
    """Find MLflow runs by the beginning of their id; a store that nobody made stays unmade."""
    if not os.environ.get(STATED) and not (store_folder(root) / DATABASE).exists():
        return
    runs = known_runs(root)
    if runs is None:
        runs = _asked(root, prefix)
    known = {result.digest: result for result in results}
    for digest, run in runs.items():
        result = known.get(digest)
        if result is not None and run.startswith(prefix):
            commit = result.sightings[0].commit if result.sightings else ""
            yield Found(prefix, f"MLflow run {run[:8]}", commit, result)


def _asked(root: Path, prefix: str) -> dict[str, str]:
    """Return result digest → run id of the runs that begin so, as MLflow says."""
    client = open_store(root)
    places = [each.experiment_id for each in client.search_experiments()]
    found = client.search_runs(places, f"attributes.run_id LIKE '{prefix}%'")
    return {run.data.tags.get(RESULT, ""): run.info.run_id for run in found}


def _only(name: str, found: Sequence[Found]) -> Found:
    if len(found) == 1:
        return found[0]
    tasks = sorted({each.result.task for each in found})
    if len(tasks) > 1:
        expected, mend = "one task", f"--task with one of {', '.join(tasks)}"
    else:
        expected, mend = "a name that only one has", "name it by its commit or its MLflow run id"
    meant = ", ".join(f"{each.how} ({each.result.task} {each.result.digest[:6]})" for each in found)
    raise AssayError(name, f"means {len(found)} results: {meant}", expected, mend)


def _unknown(root: Path, results: Sequence[Result], name: str, task: str) -> AssayError:
    """Say what was looked at, and the nearest names that there are."""
    refs = git(root, "for-each-ref", "--format=%(refname:short)", "refs/tags", "refs/heads")
    experiments = {each.experiment for result in results for each in result.sightings}
    known = sorted(filter(None, {*refs.splitlines(), *experiments}))
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or [
        *known[:10],
        "HEAD",
        WORK_TREE,
    ]
    of = f" of {task}" if task else ""
    return AssayError(
        name,
        f"no result{of} has this name: looked among {len(results)} results of commits, experiments,"
        " the work tree, registered versions, and MLflow runs by their id",
        f"for example {', '.join(near)}",
        "dvc exp list --all-commits; git log -- dvc.lock; assay sync",
    )
