"""How images are stored: what ingest writes is read back, and what nobody wrote is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.project import DATA, Project

from assay.errors import AssayError
from assay.manifest.layout import Layout
from assay.manifest.storage import (
    OriginalStorage,
    PixelStorage,
    RecordStorage,
    Storage,
    read_storage,
)
from assay.manifest.table import read_table, write_table

COMMON = {"base": "set", "images": ".assay/images/toy-0", "size": 16, "fit": "stretch"}
ORIGINAL = {**COMMON, "copy": "none", "decoder": "pillow"}
RECORD = {
    **COMMON, "copy": "none", "fields": [["bayer", "<f4", [4, 30]], ["part", "<u2", []]],
    "records": "0123", "raw": ["a.npy"],
}  # fmt: skip
KINDS = [(PixelStorage, COMMON), (OriginalStorage, ORIGINAL), (RecordStorage, RECORD)]


@pytest.mark.parametrize(("kind", "facts"), KINDS)
def test_facts_are_one_of_three_kinds_and_written_as_they_were_read(
    kind: type[Storage], facts: dict[str, Any]
) -> None:
    found = read_storage({**facts, "target": "hb"}, "toy")
    assert type(found) is kind
    assert json.loads(json.dumps(found.facts())) == facts


@pytest.mark.parametrize(("kind", "facts"), KINDS)
def test_a_fact_that_is_absent_or_of_no_known_kind_is_named(
    kind: type[Storage], facts: dict[str, Any]
) -> None:
    for name in facts.keys() - {"copy", "fields"}:
        with pytest.raises(AssayError, match=f"`{name}`"):
            read_storage({key: value for key, value in facts.items() if key != name}, "toy")
    for name in ("copy", "size"):
        with pytest.raises(AssayError, match=rf"\$\.{name}"):
            read_storage({**facts, name: "sparse"}, "toy")


def test_a_manifest_that_does_not_say_it_is_refused_and_made_anew(fresh: Project) -> None:
    fresh.dvc("repro", f"split@{DATA}")
    path = fresh.folder / Layout(DATA).splits
    before = path.read_bytes()
    manifest = fresh.folder / Layout(DATA).manifest
    table, facts = read_table(manifest, "")
    del facts["fit"]
    manifest.unlink()
    write_table(manifest, table, facts)
    fresh.dvc("commit", "-f", f"ingest@{DATA}")
    said = fresh.dvc("repro", f"split@{DATA}", fails=True)
    assert "`fit`" in said
    mend = f"dvc repro -f -s ingest@{DATA}"
    assert f"{mend}, then the same command" in said
    fresh.typed(mend)
    fresh.dvc("repro", f"split@{DATA}")
    assert path.read_bytes() == before
