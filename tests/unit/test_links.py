"""A file of the work tree and DVC's copy of it are one file on disk, and nothing that runs spoils it."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dvc.repo import Repo
from dvc_objects.fs import LocalFileSystem
from dvc_objects.fs.generic import test_links as working
from tests.conftest import ROOT

from assay.runs.files import atomic_write, file_digest

PART = "part.npy"
STAGE = """
stages:
  split:
    cmd: cp source.npy .aside && mv .aside part.npy
    deps: [source.npy]
    outs: [part.npy]
"""


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repo]:
    """Return a repository with this one's configuration, whose stage has made its part."""
    monkeypatch.chdir(tmp_path)
    Repo.init(no_scm=True).close()
    config = (ROOT / ".dvc/config").read_text().replace("autostage = true", "no_scm = true")
    (tmp_path / ".dvc/config").write_text(config)
    np.save("source.npy", np.arange(50_000))
    Path("dvc.yaml").write_text(STAGE)
    with Repo() as made:
        made.reproduce()
        yield made


def held(repo: Repo, digest: str) -> Path:
    """Return DVC's copy of a content."""
    return Path(repo.cache.local.path) / digest[:2] / digest[2:]


def is_linked(one: Path, other: Path) -> bool:
    """Say whether two names are one file, or share its blocks where the file system copies on write."""
    disk = LocalFileSystem()
    shares = working(["reflink"], disk, str(other.parent), disk, str(one))
    return bool(shares) or one.samefile(other)


def test_a_part_lies_on_disk_once(repo: Repo, tmp_path: Path) -> None:
    part = Path(PART)
    cached = held(repo, file_digest(part))
    assert is_linked(part, cached)
    assert not stat.S_IMODE(part.stat().st_mode) & 0o222  # an editor asks before it spoils both
    # The planted mistake: what DVC does without the setting is seen by this measure.
    shutil.copyfile(cached, tmp_path / "copied")
    assert not cached.samefile(tmp_path / "copied")


def test_it_is_mapped_checked_out_and_found_unchanged(repo: Repo) -> None:
    mapped = np.load(PART, mmap_mode="r")
    cached = held(repo, file_digest(Path(PART)))
    Path(PART).unlink()
    assert int(mapped[-1]) == 49_999  # a training that runs keeps what it has mapped
    repo.checkout()
    assert is_linked(Path(PART), cached)
    assert repo.status() == {}
    assert repo.reproduce() == []


def test_a_stage_that_runs_again_leaves_the_old_content_whole(repo: Repo) -> None:
    old = file_digest(Path(PART))
    np.save("source.npy", np.arange(60_000))
    assert len(repo.reproduce()) == 1
    new = file_digest(Path(PART))
    assert {old, new} == {file_digest(held(repo, each)) for each in (old, new)}
    assert is_linked(Path(PART), held(repo, new))


def test_writing_aside_spoils_no_copy_and_writing_in_place_would(repo: Repo) -> None:
    old = file_digest(Path(PART))
    atomic_write(Path(PART), lambda aside: aside.write_bytes(b"new"))
    assert file_digest(held(repo, old)) == old
    repo.checkout(force=True)
    if held(repo, old).samefile(PART):
        Path(PART).chmod(0o644)
        with Path(PART).open("r+b") as stream:
            stream.write(b"spoilt")
        assert file_digest(held(repo, old)) != old
