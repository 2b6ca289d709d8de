"""DVC's cache: objects that HEAD or a registered version needs and that are gone, or are not whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.doctor.finding import Finding, Report
from assay.registry.ledger import entries
from assay.registry.versions import tasks_in, versions
from assay.runs.files import file_digest
from assay.runs.git import git
from assay.tracking.locks import Locks

if TYPE_CHECKING:
    from assay.registry.versions import Version

EMPTY = "d41d8cd98f00b204e9800998ecf8427e"  # md5 of nothing: such an object may have no bytes
RELOCK = "git commit -m 'Lock what this machine made' dvc.lock"


@dataclass(frozen=True)
class Needed:
    """An output of a stage at a revision."""

    revision: str
    stage: str
    path: str
    digest: str


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
    bad = {path.parent.name + path.name for path in _damaged(folder, deep)}
    needed, own = list(_needed(root)), _own(root)
    findings: dict[str, Finding] = {}
    for each in needed:
        for where, digest in _with_inside(folder, each):
            path = folder / digest[:2] / digest[2:]
            if digest in findings or (digest not in bad and path.exists()):
                continue
            said = f"{digest} is {'damaged' if digest in bad else 'gone'}"
            is_other = each.revision == "HEAD" and own.get(each.path, each.digest) != each.digest
            mend = _mend(root, each, where, digest, has_remote, is_other)
            mend = f"rm -f {path} && {mend}" if digest in bad else mend
            findings[digest] = Finding(
                f"{where} of {each.revision}", said, "in the DVC cache", mend
            )
    found = [*findings.values(), *_unneeded(folder, bad - findings.keys())]
    count = len({each.digest for each in needed})
    how = "all objects digested" if deep else "not digested: --deep"
    return Report("cache", f"{count} objects of HEAD and registered versions, {how}", found)


def _own(root: Path) -> dict[str, str]:
    """Return path → digest as the work tree's `dvc.lock` has it, committed or not."""
    entries = Locks(root).in_work_tree()
    return {path: digest for entry in entries for path, digest in entry.outs.items()}


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
