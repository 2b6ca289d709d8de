"""Snapshot of a source: `data/<name>.source.json`, small and tracked; ingest depends on it.

The source itself is never a DVC dependency: half a million files would make every `dvc status` take
minutes, and a path outside the repository fails in `dvc exp run --temp`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from assay.errors import SourceError
from assay.manifest.layout import Layout
from assay.params import Section
from assay.runs.files import read_json, write_json

if TYPE_CHECKING:
    from assay.contract import System

PHANTOM = "phantom"


class Snapshot(Section):
    """What is known of a source: where, how much, whose, under which terms."""

    url: str
    count: int | None = None
    listing_digest: str | None = None
    origin: str = "unstated"
    licence: str = "unstated"
    consent: str = "unstated"
    group_kind: Literal["patient", "session", "content", "sample"] | None = None


def listing_digest(source: Path, files: Sequence[Path]) -> str:
    """Digest names and sizes of the files, in order of their names; no file is opened."""
    digest = hashlib.sha256()
    for file in sorted(files):
        size = file.stat().st_size if file.exists() else -1
        name = file.relative_to(source) if file.is_relative_to(source) else file
        digest.update(f"{name.as_posix()}\0{size}\n".encode())
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
        first = fault.errors(include_url=False)[0]
        found = f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip()
        raise SourceError(str(path), f"not a snapshot: {found}", mend=mend) from None
    except ValueError as fault:
        raise SourceError(str(path), f"not JSON: {fault}", mend=mend) from None


def listed(root: Path, system: System, source: str, stated: Mapping[str, str | None]) -> Snapshot:
    """List a source as it stands; what was stated of it before stays where nothing new is said."""
    try:
        before = read_snapshot(system.name, root).model_dump()
    except SourceError:  # absent or damaged: this very call writes it anew
        before = {}
    kept = before if before.get("url") == source.rstrip("/") else {}
    said = {key: value or kept.get(key) for key, value in stated.items()}
    facts: dict[str, Any] = {"url": source.rstrip("/")}
    if source != PHANTOM:
        folder = locate(source, root)
        listing = system.read(folder)
        said["group_kind"] = said["group_kind"] or listing.group_kind
        digest = listing_digest(folder, listing.files)
        facts |= {"count": len(listing.files), "listing_digest": digest}
    return Snapshot.model_validate(facts | {key: value for key, value in said.items() if value})


def write_snapshot(root: Path, name: str, snapshot: Snapshot) -> Path:
    """Write the snapshot below `root`, and return its path."""
    path = root / Layout(name).snapshot
    write_json(path, snapshot.model_dump())
    return path


def provenance(
    name: str, source: str, files: Sequence[Path], folder: Path
) -> tuple[dict[str, Any], str | None]:
    """Return the facts about a source, and the group kind that its snapshot states.

    A source that is not the snapshot's runs at once, with provenance "unstated": trying a set out
    must cost nothing, and promotion asks for the snapshot later.

    Raises:
        SourceError: the source is the snapshot's, and no longer holds what was listed.
    """
    snapshot = read_snapshot(name)
    found = listing_digest(folder, files)
    facts = {"source": source, "files": len(files), "listing_digest": found}
    if snapshot.url != source:
        print(
            f"note: {source} is not listed, so later changes in it go unnoticed; when it stays:"
            f" assay snapshot {name} {source}"
        )
        return {**facts, "provenance": "unstated"}, None
    if source != PHANTOM and snapshot.listing_digest not in (None, found):
        raise SourceError(
            source,
            f"holds other files ({len(files)}, listing {found[:8]}) than when it was listed",
            f"{snapshot.count} files, listing {str(snapshot.listing_digest)[:8]}",
            f"assay snapshot {name} {source}",
        )
    return {**facts, "provenance": "stated"}, snapshot.group_kind


def locate(source: str, root: Path) -> Path:
    """Return the source's folder; a relative path counts from the repository's root."""
    if "://" in source:
        raise SourceError(source, "a URL", "a folder on this machine", "copy the set to a folder")
    folder = (root / source).resolve()
    if not folder.is_dir():
        raise SourceError(
            source,
            f"no such folder: {folder}",
            "a folder, relative to the repository's root or absolute; or `phantom`",
            "the same command with the right folder (git diff params.yaml shows what -S left)",
        )
    return folder
