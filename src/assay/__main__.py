"""`assay <verb>`: each verb is one file of `commands/`, imported when it is asked for."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import click

from assay import commands
from assay.errors import AssayError


class Verbs(click.Group):
    """A group whose commands are the modules of `assay.commands`; those import nothing heavy."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs."""
        return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb's command, or None where there is no such verb."""
        if cmd_name not in self.list_commands(ctx):
            return None
        found: click.Command = importlib.import_module(f"assay.commands.{cmd_name}").command
        return found


@click.command(cls=Verbs)
def cli() -> None:
    """The experiment repository of an imaging laboratory."""


def main() -> None:
    """Run a verb; an error that a person can mend is told without a traceback."""
    try:
        cli(prog_name="assay")
    except AssayError as error:
        print(error.render(), file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
