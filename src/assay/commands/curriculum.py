"""Judge the stages of a curriculum, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

if TYPE_CHECKING:
    from assay.contract.checks import Check


class Curriculum(Protocol):
    """What a system may offer beyond its contract, in `assay.systems.<system>.curriculum`."""

    data: str
    place: Path  # of the tracked verdicts, below the root

    def lines(self, root: Path) -> Sequence[str]:
        """Return its stages for people: goals, verdicts, what comes next."""
        ...

    def judge(self, root: Path) -> tuple[int, Sequence[Check], bool]:
        """Judge the results of the checkout: their stage, its checks, whether the verdict is new."""
        ...

    def override(self, root: Path, stage: int, reason: str) -> None:
        """Let a failed stage count as passed, for a reason."""
        ...


@click.command()
@click.argument("data")
@click.option("--judge", is_flag=True, help="judge the results that lie in this checkout")
@click.option("--override", "stage", type=int, metavar="STAGE", help="let a failed stage pass")
@click.option("--reason", default="", help="why; of --override")
def command(data: str, judge: bool, stage: int | None, reason: str) -> None:
    """Show the stages of DATA's curriculum, or judge one.

    A stage is judged on its goals and the verdict is kept, passed or failed; after a failed one ingest
    refuses the next, unless it is overridden with a reason. Only validation rows are looked at.
    """
    from assay.runs.root import find_root

    if (judge and stage is not None) or (reason and stage is None):
        raise click.UsageError("either --judge, or --override STAGE --reason '…'")
    curriculum, root = _of(data), find_root(Path.cwd())
    if judge:
        _judge(curriculum, root)
    elif stage is not None:
        curriculum.override(root, stage, reason)
        click.echo(f"stage {stage} overridden · {_keep(curriculum)}")
    else:
        click.echo("\n".join(curriculum.lines(root)))


def _of(data: str) -> Curriculum:
    from assay.errors import AssayError
    from assay.lookup import listed

    known: dict[str, Curriculum] = listed("curriculum", "CURRICULA")
    if data not in known:
        raise AssayError(data, "has no curriculum", f"one of {', '.join(sorted(known)) or 'none'}")
    return known[data]


def _judge(curriculum: Curriculum, root: Path) -> None:
    """Print every check, and fail where one did; the verdict is kept either way."""
    from assay.errors import GateError

    stage, checks, is_new = curriculum.judge(root)
    click.echo(f"gate curriculum · {curriculum.data} stage {stage}")
    click.echo("\n".join(check.line() for check in checks))
    click.echo(_keep(curriculum) if is_new else "the same verdict stands there already")
    failed = [check for check in checks if not check.passed]
    if failed:
        raise GateError(
            f"stage {stage} of {curriculum.data}",
            "; ".join(f"{check.name}: {check.found}" for check in failed),
            "; ".join(check.expected for check in failed),
            "; ".join(dict.fromkeys(check.mend for check in failed))
            + f"; or assay curriculum {curriculum.data} --override {stage} --reason '…'",
        )


def _keep(curriculum: Curriculum) -> str:
    return f"kept in {curriculum.place}: git add {curriculum.place} && git commit"
