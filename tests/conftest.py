"""Fixtures: a whole project in one line, made from the work tree as it stands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import assay.systems
from tests import inproc, stories
from tests.project import DATA, ROOT, SMALL, TASK, Project, checkout, environment
from tests.templates import copied

__all__ = ["DATA", "ROOT", "SMALL", "TASK", "Project", "environment"]

# The toy stands outside the package; tests see it as if it had been copied in.
assay.systems.__path__.append(str(ROOT / "examples"))


@pytest.fixture(autouse=True)
def no_store_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the store that a test before stated, as MLflow does when it is told one."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    inproc.forget_stores()


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """Return a project in which nothing has run."""
    return checkout(tmp_path / "project")


@pytest.fixture
def finished_folder() -> Path:
    """Return the finished project that others are copies of: to be read only."""
    return stories.finished()


@pytest.fixture
def finished(tmp_path: Path) -> Project:
    """Return a project whose pipeline has run and is committed."""
    return copied(stories.finished(), tmp_path / "project")


@pytest.fixture
def synced(tmp_path: Path) -> Project:
    """Return a finished project whose run is in MLflow."""
    return copied(stories.synced(), tmp_path / "project")


@pytest.fixture
def promoted(tmp_path: Path) -> Project:
    """Return a project whose only model is the champion."""
    return copied(stories.promoted(), tmp_path / "project")


@pytest.fixture
def door(tmp_path: Path) -> Project:
    """Return a project in which v1 is champion and v3, which is better, at the door."""
    return copied(stories.promotions() / "at-the-door", tmp_path / "project")


@pytest.fixture
def real_data() -> Path:
    """Return the folder of real samples, or skip and say so."""
    place = Path(os.environ.get("ASSAY_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not place.is_dir():
        pytest.skip(f"no real samples at {place} (set ASSAY_REAL_DATA)")
    return place.resolve()
