"""What is told of the code of two results: modules and packages, or that one is of an older build."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from assay.lookup import find_scored
from assay.runs.files import file_digest, write_json
from assay.runs.record import RECORD
from assay.tracking.changes import Change, _are_comparable, _code, _differing, changes
from assay.tracking.code import OLDER, Code, code_behind
from assay.tracking.find import Found
from assay.tracking.projection import Projection
from assay.tracking.results import DvcCache, Result

OLD = {"src/assay/learning": "1f.dir", "requirements.lock": "2e", "data/x/trainval.npy": "3d"}


@pytest.fixture
def cache(tmp_path: Path) -> DvcCache:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["dvc", "init", "-q"], cwd=tmp_path, check=True)
    return DvcCache(tmp_path)


def kept(cache: DvcCache, tmp_path: Path, digest: str, version: str) -> Code:
    """Return the code behind a record whose file of code the DVC cache holds."""
    path = tmp_path / "written.json"
    modules = {"assay.learning.fit": digest, "assay.learning.training_spec": "same"}
    write_json(path, {"modules": modules, "distributions": {"torch": version}})
    md5 = file_digest(path)
    place = tmp_path / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    path.rename(place)
    return code_behind(cache, {**OLD, "code/x/train@x.json": md5})


def test_modules_and_packages_that_differ_are_named(cache: DvcCache, tmp_path: Path) -> None:
    one, other = kept(cache, tmp_path, "aaaaaaaa1", "1"), kept(cache, tmp_path, "bbbbbbbb1", "2")
    assert _code(one, other) == [Change("src/assay/learning/fit.py", "aaaaaaaa", "bbbbbbbb")]
    assert _differing(one.packages, other.packages) == [Change("torch", "1", "2")]
    assert _code(one, one) == []


def test_of_a_pipeline_the_parts_that_differ_are_named(cache: DvcCache, tmp_path: Path) -> None:
    """Its own section, rows and code are the same; one of its models is another."""
    task, sides = find_scored("pills-combo"), []
    for seed, weights in ((1, "a" * 32), (2, "b" * 32)):
        parts = {part: {"train": {"seed": 1, "fold": 0}} for part in task.parts}
        parts[task.parts[0]]["train"]["seed"] = seed
        path = tmp_path / f"{seed}.json"
        inputs = {f"models/{task.parts[0]}/run.json": weights, "data/pills/trainval.npy": "3d"}
        write_json(path, {"params": parts, "data": {}, "inputs": inputs})
        shown = Projection("", 0, 0, {}, [], {}, {}, {RECORD: path})
        sides.append((Found("x", "x", "", Result(task.name, {})), shown))
    what = changes(tmp_path, task, sides[0], sides[1])
    assert what.params == [Change(f"{task.parts[0]}.train.seed", "1", "2")]
    assert what.data == [Change(f"models/{task.parts[0]}/run.json", "a" * 8, "b" * 8)]


def test_a_record_of_an_older_build_is_told_as_such(cache: DvcCache, tmp_path: Path) -> None:
    new, old = kept(cache, tmp_path, "aaaaaaaa1", "1"), code_behind(cache, OLD)
    assert _code(new, old) == [Change("src/assay", new.digest[:8], OLDER)]
    assert not _are_comparable((new, old))
    other = code_behind(cache, OLD | {"src/assay/learning": "9f.dir"})
    assert _code(old, other) == [Change("src/assay/learning", "1f.dir", "9f.dir")]
    assert _code(old, old) == []


def test_a_file_that_the_cache_has_lost_is_told_by_its_digest(
    cache: DvcCache, tmp_path: Path
) -> None:
    new = kept(cache, tmp_path, "aaaaaaaa1", "1")
    lost = code_behind(cache, {"code/x/train@x.json": "f" * 32})
    assert _code(new, lost) == [Change("src/assay", new.digest[:8], "f" * 8)]
