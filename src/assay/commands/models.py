"""List all models: what they are, how good, from what, what was learned."""

from pathlib import Path

import click


@click.command()
@click.argument("task", required=False)
def command(task: str | None) -> None:
    """List all models, or TASK's."""
    from assay.lookup import all_scored, find_scored
    from assay.registry.catalogue import catalogue
    from assay.runs.root import find_root

    root = find_root(Path.cwd())
    names = [find_scored(task).name] if task else sorted(all_scored())
    blocks = [block for name in names for block in catalogue(root, name)]
    click.echo("\n\n".join(blocks) or "no models yet; the first: assay register <task>")
