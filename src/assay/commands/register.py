"""Register a committed model as candidate."""

from pathlib import Path

import click


@click.command()
@click.argument("task")
@click.option("--note", default="", help="what was learned, for the catalogue")
def command(task: str, note: str) -> None:
    """Register TASK's committed model."""
    from assay.lookup import find_scored
    from assay.registry.register import register
    from assay.runs.root import find_root

    find_scored(task)
    done = register(find_root(Path.cwd()), task, note)
    what = "registered" if done.is_new else "was registered already"
    click.echo(f"{task} v{done.number} {what}; alias candidate → v{done.number} · run {done.run}")
