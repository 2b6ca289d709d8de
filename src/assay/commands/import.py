"""Register a hand-named weights file as an unproven version."""  # noqa: N999 - a verb is a module

from pathlib import Path

import click


@click.command()
@click.argument("task")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--text", default="", help="what is known of it")
@click.option(
    "--catalogue", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="a Markdown file, one of whose headings names FILE",
)  # fmt: skip
def command(task: str, file: Path, text: str, catalogue: Path | None) -> None:
    """Register FILE (.pth, .pt) as a version of TASK.

    It is kept with its text and never promoted: nothing here can say how it was made.
    """
    from assay.lookup import find_task
    from assay.registry.importing import import_weights, text_of
    from assay.runs.root import find_root

    find_task(task)
    if catalogue is not None:
        text = text_of(catalogue, file.name)
    done = import_weights(find_root(Path.cwd()), task, file, text)
    what = "imported, unproven" if done.is_new else "was imported already"
    fits = "the task's network takes them as they are" if done.fits else "made for another network"
    click.echo(
        f"{task} v{done.number} {what}: {done.tensors} tensors, {done.weights:,} weights; {fits}"
    )
    click.echo(f"commit it: git add {done.path.parent} && git commit -m 'Import {file.name}'")
