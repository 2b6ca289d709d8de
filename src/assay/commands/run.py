"""Run a named parameter set of `recipes/<task>/<name>.yaml` as an experiment, or list them."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import click

FOLDER = "recipes"
# Hydra's grammar would read these as numbers or nothing; what is not a plain word is quoted as well.
NO_WORDS = {"true", "false", "null", "nan", "inf"}
WORD = re.compile(r"[A-Za-z][\w./-]*", re.ASCII)


@click.command()
@click.argument("recipe", required=False)
@click.option(
    "-S",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="as of dvc exp run; wins over the recipe",
)
@click.option("-n", "name", help="of the experiment; the recipe's own otherwise")
@click.option("--temp", is_flag=True, help="in a folder of its own, the work tree stays as it is")
@click.option("--print", "only_prints", is_flag=True, help="print the command, run nothing")
def command(
    recipe: str | None, settings: tuple[str, ...], name: str | None, temp: bool, only_prints: bool
) -> None:
    """Run RECIPE (<task>/<name>) as an experiment of that name; without one, list all.

    A recipe is a file of parameters. It is checked against params.yaml before anything runs. It leaves
    alone what it does not name: the source, the machine are set by params.yaml, or by -S.
    """
    from assay.params_check import check_files
    from assay.runs.root import find_root
    from assay.tracking.comparison import ensure_known

    root = find_root(Path.cwd())
    if recipe is None:
        click.echo("\n".join(_listed(root)))
        return
    path = _find(root, recipe)
    check_files(root)
    if temp:
        _ensure_tracked(root)
    line = experiment_line(root, path, tuple(ensure_known(root, settings)), name, temp)
    click.echo(shlex.join(line))
    if not only_prints:
        raise SystemExit(run_line(root, line))


def experiment_line(
    root: Path,
    path: Path,
    settings: tuple[str, ...] = (),
    name: str | None = None,
    temp: bool = False,
) -> list[str]:
    """Return the command that runs a recipe, checked; settings come last, and win."""
    from assay.tracking.comparison import ensure_known

    chosen = [f"{key}={written(value)}" for key, value in read_recipe(root, path).items()]
    asked = [*ensure_known(root, chosen), *settings]
    line = ["dvc", "exp", "run", *(["--temp"] if temp else []), "-n", name or _name(path, settings)]
    return (
        line + [part for each in asked for part in ("-S", each)] + [f"evaluate@{path.parent.name}"]
    )


def read_recipe(root: Path, path: Path) -> dict[str, Any]:
    """Return the dotted keys and values of a recipe, checked as `params.yaml` would be with them.

    Raises:
        ParamsError: a key that `params.yaml` does not have, or values that it would refuse.
    """
    from assay.errors import AssayError, ParamsError
    from assay.params import read_all, read_params
    from assay.params_check import check_content, laid_over
    from assay.tracking.comparison import ensure_known
    from assay.value_faults import PARAMS_FILE

    chosen, shown = read_params(path), str(path.relative_to(root))
    try:
        ensure_known(root, chosen)
        check_content(laid_over(read_all(root), chosen))
    except AssayError as error:
        faults = error.faults if isinstance(error, ParamsError) else [error]
        raise ParamsError([
            AssayError(
                each.where.replace(PARAMS_FILE, shown), each.found, each.expected, f"edit {shown}"
            )
            for each in faults
        ]) from None  # fmt: skip
    return chosen


def written(value: Any) -> str:
    """Return a value as `dvc exp run -S` reads it: in Hydra's grammar."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    if not isinstance(value, str):
        return repr(value)
    if WORD.fullmatch(value) and value.lower() not in NO_WORDS:
        return value
    # A backslash means itself, but before a quote.
    doubled = re.sub(r"(\\+)(?='|$)", r"\1\1", value)
    escaped = doubled.replace("'", "\\'")
    return f"'{escaped}'"


def _ensure_tracked(root: Path) -> None:
    """Refuse modules that DVC would not copy into the experiment's folder."""
    from assay.doctor.journals import untracked
    from assay.errors import AssayError

    if found := untracked(root):
        said = "untracked: --temp runs in a copy of what git tracks"
        raise AssayError(
            ", ".join(found), said, "modules that git tracks", shlex.join(["git", "add", *found])
        )


def _recipes(root: Path) -> dict[str, Path]:
    """Return every recipe by `<task>/<name>`."""
    paths = sorted((root / FOLDER).glob("*/*.yaml"))
    return {f"{path.parent.name}/{path.stem}": path for path in paths}


def _find(root: Path, recipe: str) -> Path:
    from assay.errors import AssayError, nearest
    from assay.lookup import find_task

    known = _recipes(root)
    if recipe not in known:
        raise AssayError(recipe, "no such recipe", nearest(recipe, known), "assay run")
    find_task(known[recipe].parent.name)
    return known[recipe]


def _listed(root: Path) -> list[str]:
    """Return a line a recipe: its name, and the first line of its comment."""
    known = _recipes(root)
    width = max(map(len, known), default=0)
    first = {
        name: path.read_text(encoding="utf-8").partition("\n")[0] for name, path in known.items()
    }
    return [f"{name:{width}}  {line.removeprefix('#').strip()}" for name, line in first.items()]


def _name(path: Path, settings: tuple[str, ...]) -> str:
    """Name the experiment after the recipe; settings of the person's own make it another."""
    from assay.runs.files import content_digest

    return "-".join([path.stem, *([content_digest(sorted(settings), 6)] if settings else [])])


def run_line(root: Path, line: list[str]) -> int:
    """Run the command, and return its status; it dies with this process."""
    from assay.runs.parent import die_with_parent

    return subprocess.run(line, cwd=root, check=False, preexec_fn=die_with_parent).returncode
