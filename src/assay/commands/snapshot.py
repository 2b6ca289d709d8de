"""List a source into data/<data>.source.json, the small tracked file that ingest depends on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from assay.contract.system import System
    from assay.manifest.snapshot import Snapshot

KINDS = click.Choice(["patient", "session", "content", "sample"])


@click.command()
@click.argument("data")
@click.argument("source")
@click.option("--origin", help="who published it, where")
@click.option("--licence", help="under which terms")
@click.option("--consent", help="what the people agreed to")
@click.option("--group-kind", type=KINDS, help="what a group is; never above the evidence")
def command(data: str, source: str, **stated: str | None) -> None:
    """List a source, and state where it is from.

    For example: assay snapshot hemoglobin.conjunctiva ../cp_anemic --origin "Mendeley Data". What was
    stated of the same source before, and is not stated now, stays.
    """
    from assay.lookup import find_system
    from assay.manifest.snapshot import write_snapshot
    from assay.runs.root import find_root

    root = find_root(Path.cwd())
    snapshot = listed(root, find_system(data), source, stated)
    path = write_snapshot(root, data, snapshot).relative_to(root)
    click.echo(f"{path}: {snapshot.count or 'no'} files listed")
    click.echo(f"next: dvc exp run -S {data}.source={snapshot.url}")


def listed(root: Path, system: System, source: str, stated: Mapping[str, str | None]) -> Snapshot:
    """List a source as it stands; what was stated of it before stays where nothing new is said."""
    from assay.contract.system_capabilities import SupportsClassTable
    from assay.errors import SourceError
    from assay.manifest.snapshot import PHANTOM, Snapshot, listing_digest, read_snapshot
    from assay.manifest.source import Source

    try:
        before = read_snapshot(system.name, root).model_dump()
    except SourceError:  # absent or damaged: this very call writes it anew
        before = {}
    kept = before if before.get("url") == source.rstrip("/") else {}
    said = {key: value or kept.get(key) for key, value in stated.items()}
    facts: dict[str, Any] = {"url": source.rstrip("/")}
    if source != PHANTOM:
        place = Source(source, root)
        listing = system.read(place)
        said["group_kind"] = said["group_kind"] or listing.group_kind
        if isinstance(system, SupportsClassTable):
            print(f"also: {system.remembered(root, facts['url'], listing).relative_to(root)}")
        files = listing.files(system.views)
        found = listing_digest(place, files, listing.tables)
        facts |= {"count": len(files), "listing_digest": found}
    return Snapshot.model_validate(facts | {key: value for key, value in said.items() if value})
