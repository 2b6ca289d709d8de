"""Build the MLflow runs that the files call for."""

from pathlib import Path

import click


@click.command()
def command() -> None:
    """Build the MLflow runs from files."""
    from assay.runs.root import find_root
    from assay.tracking.store import store_uri
    from assay.tracking.sync import sync

    root = find_root(Path.cwd())
    click.echo(f"{sync(root).line()} · {store_uri(root)}")
