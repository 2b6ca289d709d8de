"""Judge a stage of a curriculum."""

from pathlib import Path

import click

from assay.commands import overruling


@click.command()
@click.argument("data")
@overruling
def command(data: str, overrides: dict[str, str]) -> None:
    """Judge the stage of DATA's curriculum whose results lie committed in this checkout.

    Validation rows alone are looked at. The verdict is kept in the ledger, passed or failed; after a
    failed one the next stage is refused.
    """
    from assay.registry.curriculum_judge import judge_stage
    from assay.runs.root import find_root

    stage = judge_stage(find_root(Path.cwd()), data, overrides)
    click.echo(f"stage {stage} of {data} is done; all verdicts: assay ledger {data}")
