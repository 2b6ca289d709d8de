"""ruamel.yaml's C part is locked, and its safe loader uses it: DVC's, and so every `dvc` call, is four
times slower without."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from dvc.utils.serialize import _yaml
from ruamel.yaml import YAML

from assay.repro.__main__ import read_lock_plainly

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


def test_a_lock_that_was_read_in_c_is_written_as_before() -> None:
    """What the branches of `assay repro` do with it: quick to read, and the same bytes."""
    text = (ROOT / "dvc.lock").read_text()
    for parse in (_yaml.parse_yaml, _yaml.parse_yaml_for_update):
        stream = io.StringIO()
        _yaml._dump(parse(text, "dvc.lock"), stream)
        assert stream.getvalue() == text, parse.__name__


def test_the_branches_of_repro_keep_comments_of_other_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_yaml, "parse_yaml_for_update", _yaml.parse_yaml_for_update)
    read_lock_plainly()
    text = "stages: # of mine\n  a: 1\n"
    for name, kept in (("dvc.yaml", text), ("sub/dvc.lock", "stages:\n  a: 1\n")):
        stream = io.StringIO()
        _yaml._dump(_yaml.parse_yaml_for_update(text, name), stream)
        assert stream.getvalue() == kept
