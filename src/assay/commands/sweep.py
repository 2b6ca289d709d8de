"""Train a task once a value of one parameter, each as an experiment in a folder of its own; compare."""

from __future__ import annotations

import re
import subprocess
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

REASON_LINES = 8


@click.command()
@click.argument("task")
@click.argument("key")
@click.argument("values", nargs=-1, required=True)
@click.option(
    "-S", "settings", multiple=True, metavar="KEY=VALUE", help="as of dvc exp run; for all"
)
def command(task: str, key: str, values: tuple[str, ...], settings: tuple[str, ...]) -> None:
    """Train TASK once a value of KEY, and compare.

    For example: assay sweep <task> model.backbone $(cat recipes/<system>/backbones.txt) -S
    <task>.model.weights=pretrained. A value that has finished is not trained again; a value that fails
    is told at the end, the others run. After Ctrl-C or a kill the same command goes on.
    """
    from assay.lookup import find_task
    from assay.params_check import check_files
    from assay.runs.console import make_console
    from assay.runs.root import find_root
    from assay.tracking.comparison import ensure_known

    find_task(task)
    root = find_root(Path.cwd())
    check_files(root)
    own, *others = ensure_known(root, [f"{task}.{key}", *settings])
    console, failed, names = make_console(), {}, []
    values = tuple(dict.fromkeys(values))
    for number, value in enumerate(values, start=1):
        names.append(_name(task, key, value, settings))
        label = f"[{number}/{len(values)}] {key}={value}"
        chosen = [f"{own}={value}", *others]
        reason = _experiment(root, task, names[-1], chosen, label, console)
        if reason:
            failed[value] = reason
    _conclude(root, task, key, names, failed, console)


def _conclude(
    root: Path, task: str, key: str, names: list[str], failed: dict[str, str], console: Console
) -> None:
    """Print the comparison; then, where values failed, why."""
    from assay.errors import AssayError
    from assay.lookup import find_task
    from assay.tracking.comparison import compare
    from assay.tracking.comparison_table import show

    if len(failed) < len(names):
        found = find_task(task)
        console.print()
        show(found, key, compare(root, found, key, names), console)
    if failed:
        reasons = "\n".join(f"  {key}={value}\n{reason}" for value, reason in failed.items())
        raise AssayError(
            f"sweep of {task}",
            f"{len(failed)} of {len(names)} values failed\n{reasons}",
            mend="the same command: what has finished is not trained again",
        )


def _name(task: str, key: str, value: str, settings: tuple[str, ...]) -> str:
    """Name the experiment; a digest keeps apart what git's rules or other settings would make one."""
    from assay.runs.files import content_digest

    last = key.rpartition(".")[2]
    legal = re.sub(r"\.{2,}|[^\w.+=-]", "-", value, flags=re.ASCII).strip("-.")
    legal = legal.removesuffix(".lock")
    parts = [task, last, legal]
    if legal != value or settings:
        parts.append(content_digest([value, sorted(settings)], 6))
    return "-".join(filter(None, parts))


def _experiment(
    root: Path, task: str, name: str, chosen: list[str], label: str, console: Console
) -> str:
    """Run one experiment; return why it failed, or an empty text.

    DVC refuses a name that exists unless it is forced, and forced it trains again: so the older
    experiment of that name stands aside, and comes back where the new one fails.
    """
    from assay.runs.git import git

    command = ["dvc", "exp", "run", "--temp", "-n", name]
    command += [part for each in chosen for part in ("-S", each)] + [f"evaluate@{task}"]
    start = time.monotonic()
    ref, before = _set_aside(root, name)
    try:
        code, trained, last = _watch(root, command, name, label, console)
    finally:
        if before and not git(root, "rev-parse", "-q", "--verify", ref):
            git(root, "update-ref", ref, before)
    if code:
        console.print(f"{label}  failed")
        return "\n".join(f"    {line}" for line in last)
    how = f"done in {time.monotonic() - start:.0f} s" if trained else "known already"
    console.print(f"{label}  {how}")
    return ""


def _watch(
    root: Path, command: list[str], name: str, label: str, console: Console
) -> tuple[int, bool, list[str]]:
    """Run a command, its output into `.assay/sweep/<name>.log`, its last line into the status."""
    from assay.runs.parent import die_with_parent
    from assay.runs.places import SWEEPS

    log = root / SWEEPS / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    last: deque[str] = deque(maxlen=REASON_LINES)
    trained = False
    with (
        console.status(label) as status,
        log.open("w", encoding="utf-8") as stream,
        subprocess.Popen(
            command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", preexec_fn=die_with_parent,  # noqa: PLW1509
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            stream.write(line)
            stream.flush()
            if line.strip():
                last.append(line.rstrip())
                status.update(f"{label}  {line.strip()}")
            trained = trained or line.startswith("Running stage 'train@")
    return process.returncode, trained, _reason(list(last))


def _reason(last: list[str]) -> list[str]:
    """Cut the last lines down to our own error where there is one."""
    starts = [number for number, line in enumerate(last) if line.startswith("error:")]
    return last[starts[-1] :] if starts else last


def _set_aside(root: Path, name: str) -> tuple[str, str]:
    """Remove the experiment of that name on the current commit; return its ref and its commit."""
    from assay.runs.git import git

    head = git(root, "rev-parse", "HEAD")
    ref = f"refs/exps/{head[:2]}/{head[2:]}/{name}"
    before = git(root, "rev-parse", "-q", "--verify", ref)
    if before:
        git(root, "update-ref", "-d", ref)
    return ref, before
