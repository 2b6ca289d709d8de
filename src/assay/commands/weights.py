"""Put first weights where a training reads them."""

from pathlib import Path

import click

ENDINGS = (".pth", ".pt", ".ckpt", ".safetensors")


@click.command()
@click.argument("task")
@click.argument("sources", nargs=-1, required=True)
@click.option("--revision", default="main", help="of the hub's repository; noted as a commit")
def command(task: str, sources: tuple[str, ...], revision: str) -> None:
    """Put first weights of TASK into models/start/TASK/, under DVC.

    Each of SOURCES is a file (.pth, .pt, .safetensors), or a backbone as timm names it, whose weights
    are taken from the hub's cache or fetched. Nothing that a file contains is run.
    """
    from assay.lookup import find_task
    from assay.registry.first_weights import place_file, place_pretrained
    from assay.runs.root import find_root

    find_task(task)
    root = find_root(Path.cwd())
    for source in sources:
        file = Path(source)
        if file.exists() or file.suffix in ENDINGS or len(file.parts) > 1:
            done = place_file(root, task, file)
        else:
            done = place_pretrained(root, task, source, revision)
        told = f"; {done.wrapper!r} taken off every name" if done.wrapper else ""
        told += ", in place of others" if done.is_other else ""
        click.echo(f"{done.path}: {done.tensors} tensors{told}")
    click.echo(f"commit it: git add models/start/{task} && git commit -m 'Start {task} from …'")
    click.echo(f"start from it: dvc exp run -S {task}.model.weights={done.path.name}")
