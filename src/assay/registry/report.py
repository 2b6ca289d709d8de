"""What the registry says to people: a look as one line, the ledger and the catalogue as tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from assay.learning.claims import other_metrics, remarks, rests_on
from assay.learning.summary import headline_line, interval_text

if TYPE_CHECKING:
    from assay.contract.scored import Scored
    from assay.registry.ledger import Entry
    from assay.registry.seal import Look


def look_line(task: Scored, look: Look) -> str:
    """Return what a look found: value, interval, skill, subjects, and the look's number."""
    used = f"look {look.number} of {look.budget}" + ("" if look.is_new else ", its stored result")
    if other := other_metrics(task, look.scores):
        return f"test set, {used}: {other.partition(':')[0]}"  # a look is not taken again
    rests = rests_on(look.group_kind, look.scores["groups"], look.scores["rows"])
    line = f"test set, {used}: {headline_line(task.headline, look.scores)} · {rests}"
    said = " · ".join([line, *remarks(task, look.scores, look.group_kind)])
    return "\n".join([said, *_others(task, look)])


def _others(task: Scored, look: Look) -> list[str]:
    """Return a line for each other answer that the same look scored: the members of an ensemble."""
    score, end = task.headline, f"_{task.headline.metric}"
    return [
        f"  {name.removesuffix(end)}  {score.name} {interval_text(own, score.digits, score.unit)}"
        for name, own in look.scores.items() if name.endswith(end)
    ]  # fmt: skip


def ledger_table(found: Sequence[Entry]) -> Table:
    """Return the entries, oldest first."""
    table = Table(box=box.SIMPLE_HEAD, padding=0)
    for name in ("when (UTC)", "who", "what", "entry"):
        table.add_column(name, overflow="fold", no_wrap=name != "what")
    for entry in found:
        moment = dt.datetime.fromtimestamp(entry.time, dt.UTC)
        who = entry.who.partition(" <")[0]
        table.add_row(f"{moment:%Y-%m-%d %H:%M}", who, in_words(entry), entry.commit[:8])
    return table


def in_words(entry: Entry) -> str:
    """Return an entry as a sentence."""
    facts: Mapping[str, Any] = entry.facts
    version = f"{facts.get('task')}/v{facts.get('version')}"
    overrides = facts.get("overrides", {})
    overruled = "".join(f", {gate} overruled: {why}" for gate, why in overrides.items())
    refused = "; ".join(f"{gate}: {found}" for gate, found in facts.get("refused", {}).items())
    words = {
        "candidate": f"candidate {version}",
        "import": f"import {version}, unproven: {Path(str(facts.get('file', ''))).name}",
        "look": f"look {facts.get('number')} of {facts.get('budget')} at the test set:"
        f" {version}, {facts.get('reason')}",
        "scores": f"its scores: {version}",
        "promotion": f"promotion {version}{overruled}",
        "curriculum": f"stage {facts.get('stage')} of {facts.get('data')} "
        + (f"failed: {refused}" if refused else "passed")
        + overruled,
        "rollback": f"rollback to {version} from v{facts.get('from')}: {facts.get('reason')}",
    }
    return words.get(entry.kind, f"{entry.kind}: {facts.get('text', '')}")
