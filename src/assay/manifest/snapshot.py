"""Snapshot of a source: `data/<name>.source.json`, small and tracked; ingest depends on it.

The source itself is never a DVC dependency: half a million files would make every `dvc status` take
minutes, and a path outside the repository fails in `dvc exp run --temp`.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from assay.errors import DamagedFileError, SourceError
from assay.manifest.layout import Layout
from assay.runs.files import read_json, write_json
from assay.sections.section import Section

if TYPE_CHECKING:
    from assay.manifest.source import Source

PHANTOM, UNSTATED = "phantom", "unstated"
READ, READ_BYTES = 5000, 1 << 26  # tables whose contents are digested


class Snapshot(Section):
    """What is known of a source: where, how much, whose, under which terms; the schema of the file."""

    url: str = Field(min_length=1, description="folder, .zip or URL; or `phantom`")
    count: int | None = Field(default=None, ge=0, description="files listed")
    listing_digest: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")
    origin: str = Field(default=UNSTATED, min_length=1, description="who published it, where")
    licence: str = Field(default=UNSTATED, min_length=1, description="under which terms")
    consent: str = Field(default=UNSTATED, min_length=1, description="what the people agreed to")
    group_kind: Literal["patient", "session", "content", "sample"] | None = None


def listing_digest(source: Source, files: Sequence[str], tables: Sequence[str]) -> str:
    """Digest names and sizes of the files in order of their names, and what the tables among them say.

    Where there are more tables than `READ`, or larger ones than `READ_BYTES` together (a label file a
    photograph, arrays), none is opened, and a label edited without a change of size goes unnoticed.
    """
    digest = hashlib.sha256()
    names = sorted(files)
    stamps = source.stamps([source.uri(name) for name in names])
    sizes = {name: stamp.bytes for name, stamp in zip(names, stamps, strict=True)}
    is_read = len(tables) <= READ and sum(sizes.get(name, 0) for name in tables) <= READ_BYTES
    read = set(tables) if is_read else set()
    for name, size in sizes.items():
        said = source.content_digest(name) if name in read else ""
        digest.update(f"{name}\0{size}{said}\n".encode())
    return digest.hexdigest()[:32]


def read_snapshot(name: str, root: Path = Path()) -> Snapshot:
    """Read the tracked snapshot of the data set `name` below `root`."""
    path = root / Layout(name).snapshot
    mend = f"git checkout -- {path}, or: assay snapshot {name} <source>"
    if not path.exists():
        raise SourceError(str(path), "no such file", "the snapshot of a source", mend)
    try:
        return Snapshot.model_validate(read_json(path))
    except ValidationError as fault:
        found = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}"
            for each in fault.errors(include_url=False)
        )
        fields = ", ".join(Snapshot.model_fields)
        raise SourceError(
            str(path), f"not a snapshot: {found}", f"the fields {fields}", mend
        ) from None
    except DamagedFileError as fault:
        raise SourceError(str(path), fault.found, mend=mend) from None


def write_snapshot(root: Path, name: str, snapshot: Snapshot) -> Path:
    """Write the snapshot below `root`, and return its path."""
    path = root / Layout(name).snapshot
    write_json(path, snapshot.model_dump())
    return path


def provenance(
    name: str, source: str, files: Sequence[str], tables: Sequence[str], place: Source
) -> tuple[dict[str, Any], str | None]:
    """Return the facts about a source, and the group kind that its snapshot states.

    A source that is not the snapshot's runs at once, with provenance "unstated": trying a set out
    must cost nothing, and promotion asks for the snapshot later.

    Raises:
        SourceError: the source is the snapshot's, and no longer holds what was listed.
    """
    snapshot = read_snapshot(name)
    mend = f"assay snapshot {name} {shlex.quote(source)}"
    found = listing_digest(place, files, tables)
    facts = {"source": source, "files": len(files), "listing_digest": found}
    if snapshot.url != source:
        print(
            f"note: {source} is not listed, so later changes in it go unnoticed; when it stays:"
            f" {mend}"
        )
        return {**facts, "provenance": UNSTATED}, None
    if source != PHANTOM and snapshot.listing_digest not in (None, found):
        raise SourceError(
            source,
            f"holds other files ({len(files)}, listing {found[:8]}) than when it was listed",
            f"{snapshot.count} files, listing {str(snapshot.listing_digest)[:8]}",
            mend,
        )
    return {**facts, "provenance": "stated"}, snapshot.group_kind
