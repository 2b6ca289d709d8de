"""A study that MLflow shows whole is not asked for again; one that grew, or lost a run, is."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.asked import noted
from tests.studies import TOY, make_root, run

from assay.search import record as record_module
from assay.search.record import PICTURES, TRIAL, record_all
from assay.tracking.store import open_store


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Note each time that MLflow is asked."""
    return noted(monkeypatch, record_module)


def test_a_study_is_asked_for_where_something_changed(
    tmp_path: Path, asked: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_root(tmp_path / "root")
    monkeypatch.chdir(root)

    def again(*lines: str) -> None:
        """Record: it is asked, says these, and then there is nothing to ask."""
        asked.clear()
        said = list(record_all(root))
        assert [line.rpartition(": ")[2] for line in said] == list(lines)
        assert asked
        asked.clear()
        assert not list(record_all(root))
        assert not asked

    found = run(root, trials=2)
    picture = found.plan.folder(root) / PICTURES / "history.png"
    picture.parent.mkdir()
    picture.write_bytes(b"a picture")
    again("2 trial(s) added")
    run(root, trials=3)
    again("1 trial(s) added")
    client = open_store(root)
    place = client.get_experiment_by_name(TOY).experiment_id
    [last] = client.search_runs([place], f"tags.`{TRIAL}` = '2'")
    client.delete_run(last.info.run_id)
    again("1 trial(s) added")
    picture.write_bytes(b"another")
    again()
