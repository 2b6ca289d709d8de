"""Print one line a task: value, interval, skill, what they rest on, time taken."""

from pathlib import Path

import click


@click.command()
def command() -> None:
    """Print the results of the work tree."""
    from assay import contract
    from assay.errors import AssayError
    from assay.runs.root import find_root
    from assay.runs.summary import summaries

    lines = summaries(find_root(Path.cwd()), contract.tasks())
    if not lines:
        raise AssayError("results", "none in this work tree", mend="dvc repro")
    click.echo("\n".join(lines))
