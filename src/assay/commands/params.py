"""Check the whole of params.yaml, in under a second."""

from pathlib import Path

import click


@click.command()
def command() -> None:
    """Check the whole of params.yaml."""
    from assay import contract
    from assay.params import PARAMS_FILE
    from assay.params_check import check_file
    from assay.runs.root import find_root

    check_file(find_root(Path.cwd()) / PARAMS_FILE)
    click.echo(f"{PARAMS_FILE}: {len(contract.sections())} sections, no fault")
