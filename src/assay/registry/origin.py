"""Whether the source of a model still holds what it was trained on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.errors import RegistryError, SourceError
from assay.lookup import find_scored, find_system
from assay.manifest.snapshot import PHANTOM, listing_digest
from assay.manifest.source import Source


def changed_source(root: Path, record: Mapping[str, Any]) -> RegistryError | None:
    """Return what is wrong, or None; a source that is not reachable here is believed, and said so.

    Args:
        root: the repository, from which relative sources count.
        record: the run record, with the facts of its data.
    """
    data = record["data"]
    if data["source"] == PHANTOM:
        return None
    name = find_scored(record["task"]).data
    try:
        place = Source(data["source"], root)
        system = find_system(name)
        listing = system.read(place)
    except SourceError as fault:
        print(f"note: not compared with its source ({fault.where}: {fault.found})")
        return None
    found = listing_digest(place, listing.files(system.views), listing.tables)
    if found == data["listing_digest"]:
        return None
    return RegistryError(
        f"source of {record['task']}",
        f"{data['source']} holds other files than when this model was trained",
        "the source as it was",
        f"assay snapshot {name} {shlex.quote(data['source'])}, then dvc repro",
    )
