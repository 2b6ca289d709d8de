"""Judge claims before they are made: numbers, and gains between numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from assay.contract.checks import Check


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def command(file: Path) -> None:
    """Judge the claims of a YAML FILE.

    Prints each claim with what is refused (STOP) and what has to stand beside it (note); fails where
    one is refused. For example: assay claims examples/claims/founding.yaml
    """
    from assay.errors import GateError
    from assay.gates.claims_file import read_claims
    from assay.gates.claims_judge import judge_claim, judge_gain

    claims, gains = read_claims(file)
    judged = [
        (name, f"{claim.text()} · {claim.rests_on()}", judge_claim(claim))
        for name, claim in claims.items()
    ]
    judged += [(name, gain.text(), judge_gain(gain)) for name, gain in gains.items()]
    for name, stated, checks in judged:
        _print(f"{name}  {stated}", checks)
    stops = [(name, each) for name, _, checks in judged for each in checks if not each.passed]
    if stops:
        raise GateError(
            f"gate claims of {file}",
            "; ".join(f"{name} · {check.name}: {check.found}" for name, check in stops),
            "; ".join(dict.fromkeys(check.expected for _, check in stops)),
            "; ".join(dict.fromkeys(check.mend for _, check in stops if check.mend)),
        )


def _print(stated: str, checks: Sequence[Check]) -> None:
    click.echo(stated)
    for check in checks:
        click.echo(f"  note  {check.name}: {check.found}" if check.passed else check.line())
    if not checks:
        click.echo("  ok    nothing to refuse, nothing to remark")
