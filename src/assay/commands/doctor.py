"""Look for what is wrong in this checkout, and say the command that mends it."""

from pathlib import Path

import click


@click.command()
@click.option("--deep", is_flag=True, help="digest every object of the DVC cache")
@click.option("--remote", is_flag=True, help="ask the remotes for their ledger; fetches nothing")
def command(deep: bool, remote: bool) -> None:
    """Look, change nothing, and name the command that mends each finding; 1 where there are some."""
    from assay.doctor.examination import examine
    from assay.runs.root import find_root

    count, checks = 0, 0
    for report in examine(find_root(Path.cwd()), deep, remote):
        click.echo(report.render())
        count += len(report.findings)
        checks += 1
    click.echo(f"{checks} checks, {count} finding{'s' * (count != 1)}")
    if count:
        raise SystemExit(1)
