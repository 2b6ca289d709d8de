"""Make the previous champion champion again."""

from pathlib import Path

import click


@click.command()
@click.argument("task")
@click.option("--reason", required=True, help="why; for the ledger")
def command(task: str, reason: str) -> None:
    """Make TASK's previous champion champion again."""
    from assay.lookup import find_scored
    from assay.registry.promotion import rollback
    from assay.runs.root import find_root

    find_scored(task)
    old, new = rollback(find_root(Path.cwd()), task, reason)
    click.echo(f"{task}: champion v{old} → v{new}")
