"""A comparison of two results as text for people: metrics, one sentence, rows, what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from assay.contract.task_rows import row_of
from assay.learning.claims import (
    counted,
    few_subjects,
    judge_result,
    other_metrics,
    rests_on,
    same_rows,
)
from assay.learning.summary import interval_text

if TYPE_CHECKING:
    from assay.contract.scored import Scored
    from assay.tracking.changes import Change, Changes
    from assay.tracking.find import Found
    from assay.tracking.paired import Difference, Noise, Paired
    from assay.tracking.projection import Projection
    from assay.tracking.scored import ScoredRows

LETTERS = ("A", "B")
FILES = 20  # listed by name; beyond, git lists them better


@dataclass(frozen=True)
class Side:
    """One of the two: what was found, what it shows, its rows, its own scores, its seed noise.

    `scores` are its own, where `best_of` counts the known results on its rows as well.
    """

    found: Found
    shown: Projection
    scored: ScoredRows
    scores: Mapping[str, Any]
    noise: Noise | None

    @property
    def kind(self) -> str:
        """Return the kind of its groups."""
        return self.shown.tags["group_kind"]


Sides = tuple[Side, Side]


def show_names(task: Scored, sides: Sides, console: Console) -> None:
    """Print which two results these are."""
    console.print(f"{task.name}, on validation rows")
    for letter, side in _lettered(sides):
        when = datetime.fromtimestamp(side.shown.end / 1000).astimezone()
        name = "" if side.found.name in side.found.how else f"{side.found.name} · "
        console.print(f"{letter}  {name}{side.found.how} · {when:%Y-%m-%d %H:%M}")
    if sides[0].found.result.digest == sides[1].found.result.digest:
        console.print("A and B are one and the same result")


def show_metrics(
    task: Scored, found: Paired, sides: Sides, confidence: float, console: Console
) -> None:
    """Print every metric, the headline first, and the headline as a sentence."""
    table = Table(box=box.SIMPLE_HEAD, padding=0)
    interval, digits = f"A − B [{confidence:.0%}]", task.headline.digits
    table.add_column("", min_width=12)
    for name in ("A", "B"):
        table.add_column(name, justify="right", min_width=digits + 4)
    table.add_column(interval)
    table.add_column("beyond zero")
    for name in sorted(found.differences, key=lambda name: name != task.headline.metric):
        each = found.differences[name]
        values = (_minus(f"{value:.{digits}f}") for value in (each.one, each.other))
        beyond = "yes" if each.is_beyond_zero else "no"
        table.add_row(name, *values, _interval(each, digits), beyond)
    console.print(table)
    console.print(_sentence(task, found, sides), soft_wrap=True)
    console.print(_last_sentence(task, found), soft_wrap=True)
    if not any(side.noise for side in sides):
        console.print(f"to measure seeds: assay sweep {task.name} train.seed <seed> <seed> …")


def show_rows(
    task: Scored, found: Paired, sides: Sides, other_pictures: set[str], console: Console
) -> None:
    """Print what is not compared, and whose own figures are of which rows."""
    common = set(sides[0].scored.sample_ids) & set(sides[1].scored.sample_ids)
    replaced = sum(row_of(task, sample) in other_pictures for sample in common)
    if replaced:
        console.print(
            f"{replaced} of the {len(common)} common rows have another picture"
            " file under the same id: the same subjects only where equal ids mean equal subjects"
        )
    left = {
        "relabelled": found.relabelled,
        "only in A": found.only_one,
        "only in B": found.only_other,
    }
    one, other = (f"{letter}'s own {_own(task, side)}" for letter, side in _lettered(sides))
    refusal = same_rows(one, other, left)
    if refusal is None:
        return
    counts = ", ".join(f"{count} {why}" for why, count in left.items() if count)
    console.print(
        f"The validation sets differ; only what they share is compared. Left out: {counts}"
    )
    console.print(refusal.line(), soft_wrap=True)


def show_remarks(task: Scored, sides: Sides, console: Console) -> None:
    """Print what weakens either's own numbers; the sentence has said how few subjects are compared."""
    for letter, side in _lettered(sides):
        for check in judge_result(task, side.scores, side.kind):
            if check.name != "subjects":
                console.print(f"{letter}: {check.found}")


def show_changes(what: Changes, console: Console) -> None:
    """Print what differs, A and B side by side; then the files, from B to A."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("changed", overflow="fold")
    table.add_column("A", overflow="fold")
    table.add_column("B", overflow="fold")
    kinds = ("params", "data", "code", "environment")
    same = [kind for kind in kinds if not getattr(what, kind)]
    for kind in kinds:
        listed: Sequence[Change] = getattr(what, kind)
        for change in listed:
            table.add_row(f"{kind}  {change.name}", change.one, change.other)
    if table.row_count:
        console.print(table)
    if same:
        console.print(f"the same in both: {', '.join(same)}")
    if what.code:
        _show_files(what.files, console)


def _show_files(files: Sequence[str], console: Console) -> None:
    """Print the changed files; none are known where the code was not committed as it ran."""
    console.print(
        "code, from B to A:" + ("" if files else " not known, it was not committed as it ran")
    )
    for file in files[:FILES]:
        console.print(f"  {file}")
    if len(files) > FILES:
        console.print(f"  and {len(files) - FILES} more: git diff --stat <B> <A> -- src")


def _sentence(task: Scored, found: Paired, sides: Sides) -> str:
    """Say the headline in one line: difference, subjects, seeds, and what follows from them."""
    score = task.headline
    each, kind = found.differences[score.metric], sides[0].kind
    unit = f" {score.unit}" if score.unit else ""
    said = f"{score.name} {_interval(each, score.digits)}{unit} on the same"
    said += f" {rests_on(kind, found.groups, found.rows)}, {_noise(task, sides)}: "
    few = few_subjects(found.groups, counted(kind, found.groups, found.rows))
    if few:
        return said + few.found
    if not each.is_beyond_zero:
        return f"{said}no difference beyond chance"
    better = "A" if score.gain(each.one, each.other) > 0 else "B"
    spread = max((side.noise.spread for side in sides if side.noise), default=0.0)
    hedge = ", yet by no more than seeds differ" if abs(each.value) <= spread else ""
    return f"{said}{better} is better{hedge}"


def _last_sentence(task: Scored, found: Paired) -> str:
    """Say the same of the last epochs: the best were chosen on these very rows, each side its own."""
    each, score = found.last, task.headline
    if each is None:
        return "last epochs: not compared, one side has none"
    values = (_minus(f"{value:.{score.digits}f}") for value in (each.one, each.other))
    one, other = values
    return f"last epochs: A {one}, B {other}, A − B {_interval(each, score.digits)}"


def _noise(task: Scored, sides: Sides) -> str:
    """Say what seeds alone change, once where both are of one configuration."""
    same = sides[0].noise == sides[1].noise
    said = []
    for letter, side in zip(LETTERS, sides[:1] if same else sides, strict=False):
        if side.noise is not None:
            of = "" if same else f" of {letter}"
            states = side.noise.states
            codes = f", over {states} states of code" if states > 1 else ""
            spread = f"{side.noise.spread:.{task.headline.digits}f}"
            said.append(f"{side.noise.seeds} seeds{of} differ by {spread}{codes}")
    return "; ".join(said) or "seeds not measured"


def _lettered(sides: Sides) -> Iterator[tuple[str, Side]]:
    return zip(LETTERS, sides, strict=True)


def _own(task: Scored, side: Side) -> str:
    if other := other_metrics(task, side.scores):
        return other
    score = task.headline
    own = interval_text(side.scores[score.metric], score.digits)
    rests = rests_on(side.kind, side.scores["groups"], side.scores["rows"])
    return f"{score.name} {own} on {rests}"


def _interval(each: Difference, digits: int) -> str:
    value, low, high = (f"{number:+.{digits}f}" for number in (each.value, each.low, each.high))
    return _minus(f"{value} [{low}, {high}]")


def _minus(text: str) -> str:
    return text.replace("-", "−")
