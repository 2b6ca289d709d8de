"""Build the MLflow runs, versions and aliases that files and ledger call for."""

from pathlib import Path

import click


@click.command()
def command() -> None:
    """Build MLflow from files and ledger."""
    from assay.registry.heal import heal, sync_models
    from assay.runs.root import find_root
    from assay.search.record import record_all
    from assay.tracking.stamp import state_of
    from assay.tracking.store import store_uri
    from assay.tracking.sync import sync

    root = find_root(Path.cwd())
    done = heal(root)
    before = state_of(root)
    for line in record_all(root):
        click.echo(line)
    if before != state_of(root):  # what was noted of the others is of the store as it was before
        sync_models(root, sync(root).runs)
        list(record_all(root))
    click.echo(f"{done.line()} · {store_uri(root)}")
