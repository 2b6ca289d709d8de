"""The page of a gate: every check, and the rows that it is about, with their pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from assay.manifest.storage import read_storage
from assay.pages.thumbnails import thumbnails
from assay.runs.page.write import embedded, short, write_page

if TYPE_CHECKING:
    from assay.contract.checks import Check
    from assay.gates.verdict import Verdict

TEMPLATE = Path(__file__).parent / "templates" / "gate.html.j2"
SHOWN = 120  # rows of a check, or groups of rows
CARDS = 20  # pictures a row
Row = Mapping[str, Any]


def write_gate_page(
    verdict: Verdict,
    path: Path,
    root: Path,
    manifest: pl.DataFrame,
    facts: dict[str, Any],
    figures: Mapping[str, bytes] | None = None,
) -> None:
    """Write the page of a verdict beside its JSON; `figures` are PNG files by title, laid into it.

    A row of a check is a sample (`sample_id`) or a group of samples (`samples`); anything else stays in
    the JSON alone.
    """
    target = facts["target"]
    shown = {check.name: list(_strips(check)) for check in verdict.checks}
    wanted = {sample for strips in shown.values() for strip in strips for sample, _ in strip}
    pictures = thumbnails(root, read_storage(facts, verdict.subject), manifest, wanted)
    chosen = manifest.filter(pl.col("sample_id").is_in(list(wanted)))
    labels = dict(zip(chosen["sample_id"], chosen[target], strict=True))
    cards = {
        name: [
            [_card(sample, text, labels, pictures, target) for sample, text in strip]
            for strip in strips
        ]
        for name, strips in shown.items()
    }
    write_page(
        path,
        TEMPLATE,
        title=f"{verdict.subject} · {verdict.gate}",
        subtitle=f"{len(manifest)} rows of {facts['source']}",
        verdict=verdict,
        checks=[
            _section(check, cards[check.name])
            for check in sorted(verdict.checks, key=lambda check: check.passed)  # STOP first
        ],
        tables=verdict.tables,
        figures={name: embedded(content) for name, content in (figures or {}).items()},
        file=path.with_suffix(".json"),
    )


def _section(check: Check, strips: Sequence[Any]) -> dict[str, Any]:
    more = max(len(check.rows) - SHOWN, 0)
    about = ("name", "passed", "found", "expected", "checked", "mend")
    return {**{name: getattr(check, name) for name in about}, "shown": strips, "more": more}


def _strips(check: Check) -> Iterator[list[tuple[str, str]]]:
    """Yield rows of (sample, text): a group is one row, single samples stand beside each other."""
    singles = [row for row in check.rows if isinstance(row, dict) and "sample_id" in row]
    for start in range(0, min(len(singles), SHOWN), CARDS):
        part = singles[start : start + CARDS]
        yield [(row["sample_id"], str(row.get("reason") or "")) for row in part]
    groups = [row for row in check.rows if isinstance(row, dict) and "samples" in row]
    for group in groups[:SHOWN]:
        samples = group["samples"][:CARDS]
        texts = group.get("texts", [""] * len(samples))
        yield list(zip(samples, texts, strict=False))


def _card(
    sample: str, text: str, labels: Mapping[str, Any], pictures: Mapping[str, str], target: str
) -> dict[str, str]:
    label = labels.get(sample)
    said = "" if label is None else f"{target} {short(label)}"
    return {"sample": sample, "text": text, "label": said, "picture": pictures.get(sample, "")}
