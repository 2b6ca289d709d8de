"""List a source into data/<data>.source.json, the small tracked file that ingest depends on."""

from pathlib import Path

import click

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
    from assay.manifest.snapshot import listed, write_snapshot
    from assay.runs.root import find_root

    root = find_root(Path.cwd())
    snapshot = listed(root, find_system(data), source, stated)
    path = write_snapshot(root, data, snapshot).relative_to(root)
    click.echo(f"{path}: {snapshot.count or 'no'} files listed")
    click.echo(f"next: dvc exp run -S {data}.source={snapshot.url}")
