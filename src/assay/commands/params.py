"""Check the whole of params.yaml, and of search.yaml."""

from pathlib import Path

import click


@click.command()
def command() -> None:
    """Check the whole of params.yaml, and of search.yaml."""
    from assay.params import read_all
    from assay.params_check import all_sections, check_content
    from assay.runs.root import find_root
    from assay.value_faults import PARAMS_FILE, STUDIES

    content = read_all(find_root(Path.cwd()))
    check_content(content)
    studies = sum(map(len, (content.get(STUDIES) or {}).values()))
    click.echo(f"{PARAMS_FILE}: {len(all_sections())} sections, no fault · {studies} studies")
