"""Whether MLflow was asked: what opens its store is noted, and opens it as ever."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from assay.tracking.store import open_store


def noted(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> list[Path]:
    """Return the roots whose store a module opens from now on, as they come."""
    seen: list[Path] = []

    def noting(root: Path) -> Any:
        seen.append(root)
        return open_store(root)

    monkeypatch.setattr(module, "open_store", noting)
    return seen
