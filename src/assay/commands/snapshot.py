"""List a source into data/<data>.source.json, the small tracked file that ingest depends on."""

from pathlib import Path

import click

KINDS = click.Choice(["patient", "session", "content", "sample"])


@click.command()
@click.argument("data")
@click.argument("source")
@click.option("--origin", default="unstated", help="who published it, where")
@click.option("--licence", default="unstated", help="under which terms")
@click.option("--consent", default="unstated", help="what the people agreed to")
@click.option(
    "--group-kind", type=KINDS, default=None, help="what a group is; never above the evidence"
)
def command(
    data: str, source: str, origin: str, licence: str, consent: str, group_kind: str | None
) -> None:
    """List SOURCE as the source of DATA, for example: hemoglobin.conjunctiva ../cp_anemic."""
    from assay import contract
    from assay.manifest.snapshot import PHANTOM, Snapshot, listing_digest, locate, write_snapshot
    from assay.runs.root import find_root

    root, system = find_root(Path.cwd()), contract.find_system(data)
    stated = {"origin": origin, "licence": licence, "consent": consent, "group_kind": group_kind}
    if source == PHANTOM:
        snapshot = Snapshot(url=PHANTOM, **stated)  # type: ignore[arg-type]
    else:
        folder = locate(source, root)
        listing = system.read(folder)
        stated["group_kind"] = group_kind or listing.group_kind
        snapshot = Snapshot(
            url=source.rstrip("/"),
            count=len(listing.files),
            listing_digest=listing_digest(folder, listing.files),
            **stated,  # type: ignore[arg-type]
        )
    path = write_snapshot(root, data, snapshot).relative_to(root)
    click.echo(
        f"{path}: {snapshot.count or 'no'} files listed. Next: dvc exp run -S {data}.source={source}"
    )
