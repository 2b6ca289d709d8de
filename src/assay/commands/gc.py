"""Free old runs, experiments, caches; never what is registered or tagged."""

from pathlib import Path

import click

SHOWN = 3  # names a line


@click.command()
@click.option("--apply", is_flag=True, help="free it; without this it is only shown")
@click.option(
    "--keep-days", type=click.IntRange(min=0), default=30, show_default=True, metavar="DAYS",
    help="nothing younger than this goes",
)  # fmt: skip
def command(apply: bool, keep_days: int) -> None:
    """Show what nothing needs any more, by kind; with --apply, free it.

    Branches, tags, registered versions (candidates and imports too) and the work tree keep all that
    their commits name.
    """
    from assay.registry.gc import collect
    from assay.runs.root import find_root

    kinds = collect(find_root(Path.cwd()), keep_days, apply)
    for kind in (each for each in kinds if each.items or each.note):
        names = ", ".join(Path(item).name for item in kind.items[:SHOWN])
        more = " …" if len(kind.items) > SHOWN else ""
        note = f"  ({kind.note})" if kind.note else ""
        click.echo(
            f"  {kind.name:20}{len(kind.items):6}  {_mb(kind.bytes):>10}  {names}{more}{note}".rstrip()
        )
    total = _mb(sum(kind.bytes for kind in kinds))
    if apply:
        click.echo(f"freed {total}")
    elif any(kind.items for kind in kinds):
        click.echo(f"{total} could be freed; nothing was: assay gc --apply")
    else:
        click.echo("nothing to free")


def _mb(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
