"""Results of one task over the values of one parameter; ranked where, and only where, they compare.

Two results compare when their training read the same data (the digests of its `data/` inputs) with
otherwise equal parameters. Others form rankings of their own, which say what sets them apart. What
another version of the task's metrics scored is ranked nowhere: those numbers mean something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError, nearest
from assay.learning.claims import not_ranked
from assay.params import read_params
from assay.runs.files import content_digest, read_json
from assay.runs.record import RECORD
from assay.runs.scores import SCORES, read_scores
from assay.tracking.entries import iter_lock_entries
from assay.tracking.projection import project
from assay.tracking.results import DvcCache, join_results
from assay.value_faults import PARAMS_FILE
from assay.values import on_machine

if TYPE_CHECKING:
    from assay.contract.task import Task
    from assay.tracking.results import Result


@dataclass(frozen=True)
class Row:
    """One result.

    Attributes:
        value: the compared parameter's, as text.
        others: every other parameter of model and training, dotted name → text.
        data: path → digest of the data that training read.
        source: where the data come from.
        code: digest of code and environment.
        scores: as `runs.scores` keeps them, of validation rows.
        experiments: the names under which it was run.
        time: end of the training, ms.
    """

    value: str
    others: Mapping[str, str]
    data: Mapping[str, str]
    source: str
    code: str
    scores: Mapping[str, Any]
    experiments: frozenset[str]
    time: int

    @property
    def metrics(self) -> dict[str, float]:
        """Return the plain values."""
        found = {name: each for name, each in self.scores.items() if isinstance(each, Mapping)}
        return {name: each["value"] for name, each in found.items() if "value" in each}


@dataclass(frozen=True)
class Ranking:
    """Results that compare.

    Attributes:
        rows: one a value, best first by the task's rank; none where nothing is to be ranked.
        repeated: value → how many results it has; the latest stands in `rows`.
        apart: what sets this ranking apart from the first one; empty for the first.
    """

    rows: list[Row]
    repeated: Mapping[str, int]
    apart: str


def ensure_known(root: Path, settings: Iterable[str]) -> list[str]:
    """Return settings as DVC's `-S` takes them: what a task leaves to `machine` is added, with `++`.

    Each is `KEY` or `KEY=VALUE`, the key dotted.

    Raises:
        AssayError: a key that `params.yaml` does not have, with the nearest.
    """
    content = read_params(root / PARAMS_FILE)
    own = set(_leaves(content))
    known = list(_leaves({name: on_machine(each, content) for name, each in content.items()}))
    asked = [each.lstrip("+") for each in settings]
    for key in [each.partition("=")[0] for each in asked]:
        if key in known:
            continue
        section = [each for each in known if each.startswith(f"{key.partition('.')[0]}.")]
        expected = nearest(key, section or known)
        raise AssayError(f"{PARAMS_FILE} · {key}", "no such parameter", expected, "assay params")
    return [each if each.partition("=")[0] in own else f"++{each}" for each in asked]


def compare(
    root: Path,
    task: Task,
    key: str,
    first: Collection[str] = (),
    results: Sequence[Result] | None = None,
) -> list[Ranking]:
    """Return the rankings of every known result of `task` over `key`; last, what is not ranked.

    Args:
        root: the repository's root.
        task: whose results are compared, and whose `rank` sorts them.
        key: dotted, below the task's section; of model or training.
        first: names of experiments whose ranking comes first; then the longest, then the latest.
        results: every known result, where the caller has them.

    Raises:
        AssayError: no result is known that holds the parameter.
    """
    known = comparable(root, task.name, key, results)
    told = sorted(filter(None, (not_ranked(task, row.scores) for group in known for row in group)))
    groups = [
        same
        for group in known
        if (same := [row for row in group if not not_ranked(task, row.scores)])
    ]
    if not groups:
        raise _nothing(task.name, key, told[0])

    def order(group: list[Row]) -> tuple[bool, int, int]:
        wanted = any(row.experiments & set(first) for row in group)
        values = len({row.value for row in group})
        return (not wanted, -values, -max(row.time for row in group))

    groups.sort(key=order)
    apart = [f"{told.count(each)} results: {each}" for each in dict.fromkeys(told)]
    return [
        *(_ranking(task, group, groups[0][0]) for group in groups),
        *(Ranking([], {}, each) for each in apart),
    ]


def comparable(
    root: Path, task: str, key: str, results: Sequence[Result] | None = None
) -> list[list[Row]]:
    """Return every known result of a task or pipeline over `key`, those that compare together.

    Raises:
        AssayError: no result is known that holds the parameter.
    """
    cache = DvcCache(root)
    rows = [
        row
        for result in (join_results(iter_lock_entries(root)) if results is None else results)
        if result.task == task and (row := _row(result, cache, root, key)) is not None
    ]
    if not rows:
        raise _nothing(task, key, f"none that holds {key} is known in this clone")
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(content_digest([row.others, row.data]), []).append(row)
    return list(found.values())


def _nothing(task: str, key: str, found: str) -> AssayError:
    return AssayError(
        f"results of {task}", found, "finished runs, here or in the DVC cache",
        f"assay sweep {task} {key} <value> <value>",
    )  # fmt: skip


def latest(group: Sequence[Row]) -> list[Row]:
    """Return one row a value: of several the latest."""
    return list({row.value: row for row in sorted(group, key=lambda row: row.time)}.values())


def _ranking(task: Task, group: list[Row], first: Row) -> Ranking:
    rows = sorted(latest(group), key=lambda row: (task.rank(row.metrics), row.value))
    counts = Counter(row.value for row in sorted(group, key=lambda row: row.time))
    repeated = {value: count for value, count in counts.items() if count > 1}
    return Ranking(rows, repeated, _apart(group[0], first))


def _apart(row: Row, first: Row) -> str:
    parts = [f"other data ({row.source})"] if row.data != first.data else []
    names = sorted(row.others.keys() | first.others.keys())
    differing = [name for name in names if row.others.get(name) != first.others.get(name)]
    return ", ".join(parts + [f"{name} {row.others.get(name, 'absent')}" for name in differing])


def _row(result: Result, cache: DvcCache, root: Path, key: str) -> Row | None:
    """Read a result; None where it was not evaluated, lies in another clone, or lacks the key."""
    shown = project(result, cache, root)
    if shown is None or SCORES not in shown.artifacts or key not in shown.params:
        return None
    inputs = read_json(shown.artifacts[RECORD])["inputs"]
    # Before an experiment's commit exists, its event log alone knows its name.
    names = [*(sighting.experiment for sighting in result.sightings), shown.tags["experiment"]]
    return Row(
        value=shown.params[key],
        others={name: value for name, value in shown.params.items() if name != key},
        data=shown.datasets,
        source=shown.tags["source"],
        code=content_digest({k: v for k, v in inputs.items() if k not in shown.datasets}),
        scores=read_scores(shown.artifacts[SCORES]),
        experiments=frozenset(filter(None, names)),
        time=shown.end,
    )


def _leaves(content: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}"
