"""Make the candidate the champion, through the gates."""

from pathlib import Path

import click


@click.command()
@click.argument("task")
@click.option("--override", "gates", multiple=True, metavar="GATE", help="overrule one gate")
@click.option("--reason", "reasons", multiple=True, help="why; one for each --override")
def command(task: str, gates: tuple[str, ...], reasons: tuple[str, ...]) -> None:
    """Make TASK's candidate its champion.

    The gates compare validation rows; the sealed test set is opened only after all have passed.
    """
    from assay.lookup import find_task
    from assay.registry.promotion import promote
    from assay.registry.report import look_line
    from assay.runs.root import find_root

    if len(gates) != len(reasons):
        raise click.UsageError("an override names its reason: --override GATE --reason '…'")
    found = find_task(task)
    done = promote(find_root(Path.cwd()), task, dict(zip(gates, reasons, strict=True)))
    click.echo(look_line(found, done.look))
    before = f" · previous → v{done.previous}" if done.previous else ""
    click.echo(f"{task}: champion → v{done.version.number}{before} · pinned by {done.version.tag}")
