"""ruamel.yaml's C part is locked, and its safe loader uses it: DVC's, and so every `dvc` call, is four
times slower without."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_c_part_is_locked(lock: str) -> None:
    lines = (ROOT / lock).read_text().splitlines()
    assert any(line.startswith("ruamel-yaml-clib==") for line in lines), (
        f"{lock} lacks ruamel-yaml-clib; make lock"
    )


def test_the_safe_loader_parses_in_c() -> None:
    assert YAML(typ="safe").Parser.__name__ == "CParser", (
        "ruamel.yaml runs without its C part; make environment"
    )
