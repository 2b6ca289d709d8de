"""The verbs, a file each; and what several of them take."""

from __future__ import annotations

import functools
from collections.abc import Callable

import click


def overruling(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb `--override GATE --reason '…'`, any number; it takes `overrides`, gate → reason."""

    @functools.wraps(verb)
    def taken(*, gates: tuple[str, ...], reasons: tuple[str, ...], **others: object) -> None:
        if len(gates) != len(reasons):
            raise click.UsageError("an override names its reason: --override GATE --reason '…'")
        verb(**others, overrides=dict(zip(gates, reasons, strict=True)))

    reason = click.option("--reason", "reasons", multiple=True, help="why; one for each --override")
    gate = click.option(
        "--override", "gates", multiple=True, metavar="GATE", help="overrule one gate"
    )
    return gate(reason(taken))
