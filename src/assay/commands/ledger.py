"""Show the ledger, and share it."""

from pathlib import Path

import click


@click.command()
@click.argument("name", metavar="[TASK|DATA]", required=False)
@click.option(
    "--share", "remote", metavar="REMOTE", help="fetch, join and push, for example to origin"
)
@click.option("--restore", "restored", is_flag=True, help="put the branch back to what it had")
def command(name: str | None, remote: str | None, restored: bool) -> None:
    """Show registrations, looks, promotions, stages of a curriculum.

    A clone sees the ledger of its remote as last fetched. --share brings both sides together; nothing
    is ever overwritten. --restore mends a branch that was deleted, cut back or rewritten here.
    """
    from assay.registry.ledger import entries, is_cut, restore
    from assay.registry.report import ledger_table
    from assay.registry.sharing import share_ledger
    from assay.runs.console import make_console
    from assay.runs.root import find_root

    root = find_root(Path.cwd())
    if restored:
        click.echo(restore(root))
    if remote is not None:
        click.echo(share_ledger(root, remote))
    found = [e for e in entries(root) if name in {None, e.facts.get("task"), e.facts.get("data")}]
    if not found:
        nothing = f"no entry of {name} in the ledger" if name else "the ledger is empty"
        click.echo(f"{nothing}; the first entry: assay register <task>")
        return
    make_console().print(ledger_table(found))
    if is_cut(root):
        click.echo(
            "the branch lost entries that it once had (shown above all the same): assay ledger --restore"
        )
