"""Git as stages ask it, many at a time: who only reads takes no lock of the index."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from assay.runs.git import git, must_git


def test_a_status_leaves_the_index_alone(tmp_path: Path) -> None:
    path, index = tmp_path / "file", tmp_path / ".git" / "index"
    path.write_text("text")
    must_git(tmp_path, "init", "-q")
    must_git(tmp_path, "add", "file")
    os.utime(
        path, (1e9, 1e9)
    )  # the same bytes with another stamp: an index that asks to be refreshed
    before = index.stat().st_ino, index.read_bytes()
    assert git(tmp_path, "status", "--porcelain") == "A  file"
    assert (index.stat().st_ino, index.read_bytes()) == before
    subprocess.run(["git", "status"], cwd=tmp_path, check=True, capture_output=True)
    assert index.read_bytes() != before[1], (
        "a person's own status does refresh it: the test can fail"
    )
