"""What differs between two results: parameters, data, code, environment; by digest, then in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from ruamel.yaml import YAML

from assay.manifest.storage import column
from assay.manifest.views import views_of
from assay.runs.files import read_json
from assay.runs.git import git
from assay.runs.record import RECORD
from assay.tracking.code import code_behind
from assay.tracking.projection import flat
from assay.tracking.results import DvcCache
from assay.value_faults import PARAMS_FILE

if TYPE_CHECKING:
    from assay.contract.scored import Scored
    from assay.tracking.code import Code
    from assay.tracking.find import Found
    from assay.tracking.projection import Projection

PACKAGE = "src/assay"
ABSENT = "absent"
SHORT = 8  # letters of a digest
PATHS = ("base", "images")  # facts that only say where files lie
# Sections of a system that decide which rows and pictures a training sees.
DECIDING = ("source", "phantom", "policy", "ingest", "similar", "split")
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One thing that differs, as it is in the one and in the other."""

    name: str
    one: str
    other: str


@dataclass(frozen=True)
class Changes:
    """What differs between two results.

    Attributes:
        params: of model and training, dotted.
        data: digests of what training read; what the records say of it; the parameters behind it.
        code: modules that training could reach, by digest.
        files: files within those that differ between the commits, with lines added and removed on the
            way from the other to the one.
        environment: packages that training could reach.
    """

    params: list[Change]
    data: list[Change]
    code: list[Change]
    files: list[str]
    environment: list[Change]


def changes(
    root: Path, task: Scored, one: tuple[Found, Projection], other: tuple[Found, Projection]
) -> Changes:
    """Return what differs between two results of one task.

    Args:
        root: the repository's root; commits are read from its git.
        task: whose results they are.
        one: the first, and what it shows.
        other: the second.
    """
    (found, shown), (second, reference) = one, other
    records = [read_json(each.artifacts[RECORD]) for each in (shown, reference)]
    commits = (found.commit, second.commit)
    cache = DvcCache(root)
    behind = [code_behind(cache, record["inputs"]) for record in records]
    code = _code(*behind)
    parts = (flat({part: record["params"][part] for part in task.parts}) for record in records)
    return Changes(
        params=_differing(shown.params, reference.params) + _differing(*parts),
        data=_data(root, task.data, commits, records),
        code=code,
        files=_files(root, commits, [change.name for change in code]),
        environment=_differing(*(each.packages for each in behind))
        if _are_comparable(behind)
        else [],
    )


def repictured(one: Path, other: Path) -> set[str]:
    """Return the samples of both whose picture's file has other bytes, in any view: one id, two pictures.

    Samples that share all files (`item`) are not judged: their digest changes with any of them.

    Args:
        one: a `trainval.parquet`.
        other: another.
    """
    first, second = _digests(one), _digests(other)
    both = first.join(second, on="sample_id")
    return set(both.filter(pl.col("digest") != pl.col("digest_right")).collect()["sample_id"])


def _digests(file: Path) -> pl.LazyFrame:
    """Return `sample_id` and `digest`, of all views in one, where a row's files are its own."""
    rows = pl.scan_parquet(file)
    views = views_of(rows.collect_schema().names())
    uris, digests = ([column(view, name) for view in views] for name in ("uri", "digest"))
    alone = rows.filter(pl.len().over(uris) == 1)
    return alone.select("sample_id", digest=pl.concat_str(digests, separator=" "))


def _differing(one: Facts, other: Facts) -> list[Change]:
    """Return the names whose values differ, sorted; a name that only one has is absent in the other."""
    found = []
    for name in sorted(one.keys() | other.keys()):
        first, second = str(one.get(name, ABSENT)), str(other.get(name, ABSENT))
        if first != second:
            found.append(Change(name, first, second))
    return found


def _data(root: Path, name: str, commits: tuple[str, str], records: list[Facts]) -> list[Change]:
    digests = [
        {
            name: digest[:SHORT]
            for name, digest in record["inputs"].items()
            if name.startswith(("data/", "reports/", "models/"))
        }
        for record in records
    ]
    facts = [{k: v for k, v in record["data"].items() if k not in PATHS} for record in records]
    found = _differing(*facts) + _differing(*digests)
    if found and all(commits):
        found = _differing(*(_section(root, commit, name) for commit in commits)) + found
    return found


def _section(root: Path, commit: str, name: str) -> dict[str, str]:
    """Return a system's deciding parameters at a commit, dotted; empty where it has no such section."""
    content = YAML(typ="safe").load(git(root, "show", f"{commit}:{PARAMS_FILE}")) or {}
    for key in name.split("."):
        content = content.get(key) or {}
    return flat({key: content[key] for key in DECIDING if key in content}, f"{name}.")


def _code(one: Code, other: Code) -> list[Change]:
    """Return the modules that differ, or, where one's are not known, the whole by its digest."""
    if one.digest and one.digest == other.digest:
        return []
    if _are_comparable((one, other)):
        return _differing(*({k: v[:SHORT] for k, v in each.files.items()} for each in (one, other)))
    return [Change(PACKAGE, one.told, other.told)]


def _are_comparable(behind: Sequence[Code]) -> bool:
    """Return whether both are known, and of builds that wrote down the same kind of thing."""
    return all(each.files for each in behind) and len({bool(each.digest) for each in behind}) == 1


def _files(root: Path, commits: tuple[str, str], paths: list[str]) -> list[str]:
    """Return the changed files below `paths`, from the second commit to the first."""
    if not paths or not all(commits):
        return []
    one, other = commits
    listed = git(root, "diff", "--numstat", other, one, "--", *paths)
    rows = (line.split("\t") for line in listed.splitlines())
    return [f"{name} +{added} −{removed}" for added, removed, name in rows]
