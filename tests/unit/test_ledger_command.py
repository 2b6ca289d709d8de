"""What `assay ledger` says where it shows nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from assay.commands.ledger import command
from assay.registry import ledger
from assay.runs import root


@pytest.mark.parametrize(
    ("asked", "told"), [([], "the ledger is empty"), (["ceph-cvn"], "no entry of ceph-cvn in the")]
)
def test_a_name_without_entries_is_no_empty_ledger(
    asked: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [SimpleNamespace(facts={"task": "ceph-cvm"})] if asked else []
    monkeypatch.setattr(ledger, "entries", lambda _: held)
    monkeypatch.setattr(root, "find_root", lambda _: Path())
    assert CliRunner().invoke(command, asked).output.startswith(told)
