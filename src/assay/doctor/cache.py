"""DVC's cache: objects that HEAD or a registered version needs and that are gone, or are not whole."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from assay.doctor.finding import Finding, Report
from assay.registry.ledger import entries
from assay.registry.versions import tasks_in, versions
from assay.runs.events import read_events
from assay.runs.files import file_digest
from assay.runs.git import git
from assay.runs.places import EVENTS
from assay.tracking.locks import LOCK, Locks

if TYPE_CHECKING:
    from assay.registry.versions import Version

EMPTY = "d41d8cd98f00b204e9800998ecf8427e"  # md5 of nothing: such an object may have no bytes
NAMED = 3  # stages that a mend names; of more it is the whole pipeline
RELOCK = "git commit -m 'Lock what this machine made' dvc.lock"


@dataclass(frozen=True)
class Needed:
    """An output of a stage at a revision."""

    revision: str
    stage: str
    path: str
    digest: str


@dataclass(frozen=True)
class Lost:
    """An object that is gone, or damaged: then `path` says where."""

    needed: Needed
    where: str
    digest: str
    path: Path | None
    mend: str


def check_cache(root: Path, deep: bool) -> Report:
    """Look for each object that HEAD's `dvc.lock` or a registered version's names.

    Args:
        root: the repository.
        deep: digest every object of the cache; takes as long as reading it.
    """
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        folder = Path(repo.cache.local.path)
        has_remote = bool(repo.config["remote"])
        needed = _still_declared(repo, list(_needed(root)))
    bad = {path.parent.name + path.name for path in _damaged(folder, deep)}
    own = _own(root)
    lost: dict[str, Lost] = {}
    for each in needed:
        for where, digest in _with_inside(folder, each):
            path = folder / digest[:2] / digest[2:]
            if digest in lost or (digest not in bad and path.exists()):
                continue
            mine = own.get((each.stage, each.path), each.digest)
            is_other = each.revision == "HEAD" and mine != each.digest
            mend = _mend(root, each, where, digest, has_remote, is_other)
            lost[digest] = Lost(each, where, digest, path if digest in bad else None, mend)
    if elsewhere := _made_elsewhere(root, list(lost.values()), needed):
        lost = {n: each for n, each in lost.items() if each.path or each.needed.revision != "HEAD"}
    found = [*elsewhere, *_grouped(lost.values()), *_unneeded(folder, bad - lost.keys())]
    count = len({each.digest for each in needed})
    how = "all objects digested" if deep else "not digested: --deep"
    return Report("cache", f"{count} objects of HEAD and registered versions, {how}", found)


def _still_declared(repo: Any, needed: list[Needed]) -> list[Needed]:
    """Leave out what HEAD's lock keeps of stages that `dvc.yaml` no longer has, as DVC does."""
    from dvc.exceptions import DvcException

    try:
        stages = {stage.addressing for stage in repo.index.stages}
    except DvcException:  # `dvc.yaml` cannot be read, and every dvc command says so
        return needed
    return [each for each in needed if each.revision != "HEAD" or each.stage in stages]


def _own(root: Path) -> dict[tuple[str, str], str]:
    """Return stage and path → digest as the work tree's `dvc.lock` has it, committed or not."""
    entries = Locks(root).in_work_tree()
    return {(each.stage, path): digest for each in entries for path, digest in each.outs.items()}


def _grouped(lost: Iterable[Lost]) -> list[Finding]:
    """Return a finding a cause: what one command brings back of one revision."""
    groups: dict[tuple[str, str, bool], list[Lost]] = {}
    for each in lost:
        repeats = each.mend.startswith("dvc repro ")  # of a whole chain DVC makes the one before it
        mend = "dvc repro" if repeats else each.mend
        groups.setdefault((each.needed.revision, mend, each.path is not None), []).append(each)
    return [_finding(revision, group, mend) for (revision, mend, _), group in groups.items()]


def _finding(revision: str, group: list[Lost], mend: str) -> Finding:
    first = group[0]
    stages = list(dict.fromkeys(each.needed.stage for each in group))
    if mend == "dvc repro" and len(stages) <= NAMED:
        mend = f"dvc repro {' '.join(stages)}"
    damaged = " ".join(str(each.path) for each in group if each.path)
    state = "damaged" if damaged else "gone"
    others = f" and {len(group) - 1} more" if len(group) > 1 else ""
    said = f"{len(group)} objects, {first.digest} and others, are {state}"
    return Finding(
        f"{first.where}{others} of {revision}", said if others else f"{first.digest} is {state}",
        "in the DVC cache", f"rm -f {damaged} && {mend}" if damaged else mend,
    )  # fmt: skip


def _made_elsewhere(root: Path, lost: list[Lost], needed: list[Needed]) -> list[Finding]:
    """Say it once where HEAD's lock is another processor's: what it names was never made here.

    The run cache shows it: the same stage, of the same inputs, has left other outputs on this machine.
    """
    gone = {each.digest for each in lost if each.needed.revision == "HEAD" and not each.path}
    head = Locks(root).at([commit := git(root, "rev-parse", "HEAD")])[commit]
    wanted = {frozenset(each.deps.items()): each for each in head if gone & set(each.outs.values())}
    if not wanted or any(each.mend == RELOCK for each in lost):
        return []  # or this machine's own lock stands in the work tree: to be committed
    others = (
        (path, found.stage) for path, entry in Locks(root).remembered()
        if (found := wanted.get(frozenset(entry.deps.items())))
        and found.outs.keys() == entry.outs.keys() and found.outs != entry.outs
    )  # fmt: skip
    if not any(_same_params(root, commit, path, stage) for path, stage in others):
        return []
    minutes = _minutes(root, {each.stage for each in head})
    took = f" in about {minutes} minute{'s' * (minutes != 1)}" if minutes else ""
    count = len({each.digest for each in needed if each.revision == "HEAD"})
    return [
        Finding(
            "dvc.lock of HEAD",
            f"made on another kind of processor: {len(gone)} of its {count} objects are not here, where"
            " equal inputs gave other bytes",
            f"`dvc repro` rebuilds all{took}, `dvc pull` brings the originals",
            f"dvc repro && {RELOCK}",
        )
    ]


def _same_params(root: Path, commit: str, path: Path, stage: str) -> bool:
    """Whether a file of the run cache is of the parameters that a commit locks of the stage."""
    yaml = YAML(typ="safe")
    locked = yaml.load(git(root, "show", f"{commit}:{LOCK}"))["stages"][stage]
    held = yaml.load(path.read_text(encoding="utf-8"))
    return all(locked.get(part) == held.get(part) for part in ("cmd", "params"))


def _minutes(root: Path, stages: set[str]) -> int:
    """Return how long the stages took here when they ran last; 0 where that is not known of half."""
    logs = [sorted((root / EVENTS / stage).glob("*.jsonl"), key=_changed) for stage in stages]
    runs = [read_events(paths[-1]) for paths in logs if paths]
    seconds = [run[-1]["time"] - run[0]["time"] for run in runs if run]
    return math.ceil(sum(seconds) / 60) if 2 * len(seconds) >= len(stages) else 0


def _changed(path: Path) -> float:
    return path.stat().st_mtime


def _unneeded(folder: Path, bad: set[str]) -> list[Finding]:
    said = "its content is not its name; neither HEAD nor a version needs it"
    paths = {digest: folder / digest[:2] / digest[2:] for digest in sorted(bad)}
    return [
        Finding(f"object {digest}", said, "whole", f"rm -f {path}")
        for digest, path in paths.items()
    ]


def _needed(root: Path) -> Iterator[Needed]:
    registered = [v for task in tasks_in(entries(root)) for v in versions(root, task)]
    places = {"HEAD": git(root, "rev-parse", "HEAD")}
    places |= {version.tag: version.commit for version in registered if version.commit}
    held = Locks(root).at(list(dict.fromkeys(places.values())))
    for name, commit in places.items():
        for entry in held[commit]:
            for path, digest in entry.outs.items():
                yield Needed(name, entry.stage, path, digest)
    for version in registered:
        for digest in () if version.commit else version.files.values():
            yield Needed(version.tag, "", _imported(version), digest)


def _imported(version: Version) -> str:
    return str(version.entry.facts.get("path", "imported weights"))


def _with_inside(folder: Path, needed: Needed) -> list[tuple[str, str]]:
    """Return path and digest of an output and, of a folder, those of its files."""
    own, digest = (needed.path, needed.digest), needed.digest
    path = folder / digest[:2] / digest[2:]
    if not digest.endswith(".dir") or not path.exists():
        return [own]
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        inside = [(f"{needed.path}/{item['relpath']}", item["md5"]) for item in listed]
    except (ValueError, KeyError, TypeError):  # damaged, and told so
        inside = []
    return [own, *inside]


def _damaged(folder: Path, deep: bool) -> Iterator[Path]:
    """Yield the objects whose content is not their name; without `deep`, those without content."""
    for path in sorted(folder.glob("??/*")):
        name = (path.parent.name + path.name).removesuffix(".dir")
        if deep:
            if file_digest(path) != name:
                yield path
        elif path.stat().st_size == 0 and name != EMPTY:
            yield path


def _mend(
    root: Path, needed: Needed, where: str, digest: str, has_remote: bool, is_other: bool
) -> str:
    """Return what brings an object back: the remote, the work tree's own file, or making it anew.

    `is_other`: this machine made another of it, as another processor may; then its own lock counts.
    """
    if has_remote:
        return "dvc fetch --all-commits"
    if is_other:
        return RELOCK
    here = root / where
    if not needed.stage:
        return f"assay import, again; or copy .dvc/cache from where {needed.path} is"
    if here.is_dir() or (here.is_file() and file_digest(here) == digest):
        return f"dvc commit -f {needed.stage}"
    if needed.revision == "HEAD":
        return f"dvc repro {needed.stage}"
    steps = (f"git switch --detach {needed.revision}", f"dvc repro {needed.stage}", "git switch -")
    return " && ".join([*steps, "dvc checkout"])
