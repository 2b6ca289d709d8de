"""Make the candidate the champion, through the gates."""

from pathlib import Path

import click

from assay.commands import overruling


@click.command()
@click.argument("task")
@overruling
def command(task: str, overrides: dict[str, str]) -> None:
    """Make TASK's candidate its champion.

    The gates compare validation rows; the sealed test set is opened only after all have passed.
    """
    from assay.lookup import find_scored
    from assay.registry.promotion import promote
    from assay.registry.report import look_line
    from assay.runs.root import find_root

    found = find_scored(task)
    done = promote(find_root(Path.cwd()), task, overrides)
    click.echo(look_line(found, done.look))
    before = f" · previous → v{done.previous}" if done.previous else ""
    click.echo(f"{task}: champion → v{done.version.number}{before} · pinned by {done.version.tag}")
