"""Export a data set in a form that other tools read."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

import click


@click.command()
@click.argument("data")
@click.option("--format", "form", required=True, help="of the data set; an unknown one lists them")
@click.option("--source", default="", help="a folder, of forms that convert one")
@click.argument("dest", required=False, type=click.Path(path_type=Path))
def command(data: str, form: str, source: str, dest: Path | None) -> None:
    """Write DATA in another form to DEST, else below .assay/export.

    Rows of training and validation alone: the sealed test set is exported by nobody. What DATA can be
    written as is told to who asks for another form.
    """
    from assay.contract.system_capabilities import SupportsExport
    from assay.errors import AssayError
    from assay.lookup import all_systems, find_system
    from assay.manifest.layout import Layout
    from assay.manifest.table import read_table
    from assay.runs.places import EXPORTS
    from assay.runs.root import find_root

    system = find_system(data)
    if not isinstance(system, SupportsExport):
        able = [name for name, each in all_systems().items() if isinstance(each, SupportsExport)]
        raise AssayError(data, "has no other form", f"one of {', '.join(sorted(able)) or 'none'}")
    if form not in system.forms:
        known = "; ".join(f"{name} ({what})" for name, what in system.forms.items())
        raise AssayError(f"--format {form}", f"{data} has no such form", f"one of {known}")
    root, here = find_root(Path.cwd()), Path.cwd()
    place = (here / dest) if dest else root / EXPORTS / data / form
    with chdir(root):
        seen = system.export(
            form, root, place, str(here / source) if source else "",
            lambda: read_table(Layout(data).trainval, f"split@{data}"),
        )  # fmt: skip
    click.echo(f"see {seen}")
