"""Leakage: the gate between the split and the training; a stage of its own, apart from the splitter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.errors import AssayError
from assay.gates.leakage import judge_leakage, similar_groups
from assay.gates.verdict import Verdict
from assay.manifest.layout import Layout
from assay.manifest.table import read_table
from assay.pages.gate import write_gate_page

if TYPE_CHECKING:
    from assay.stages.launch import Stage


def main(stage: Stage) -> None:
    """Judge the split of `stage.item` and write `leakage.json`, and the page that shows it."""
    layout = Layout(stage.item)
    manifest, facts = read_table(layout.manifest, f"ingest@{stage.item}")
    splits, _ = read_table(layout.splits, f"split@{stage.item}")
    similar, how = read_table(layout.similar, f"similar@{stage.item}")
    search = _search(layout, how, stage.item)
    checks = judge_leakage(manifest, splits, similar, stage.item, search)
    tables = {"how similar images were found": [_row(*fact) for fact in sorted(how.items())]}
    verdict = Verdict("leakage", stage.item, [*checks, similar_groups(similar, search)], tables)
    write_gate_page(verdict, layout.leakage_page, stage.root, manifest, facts)
    verdict.write_and_raise(layout.leakage_verdict, layout.leakage_page)


def _search(layout: Layout, how: dict[str, Any], item: str) -> str:
    """Return how similar images were looked for.

    Raises:
        AssayError: the table does not say so: an earlier build wrote it.
    """
    if "search" not in how:
        raise AssayError(
            str(layout.similar), "its facts do not say how similar images were looked for",
            "a table with the fact `search`, which this build writes",
            f"dvc repro similar@{item}",
        )  # fmt: skip
    return str(how["search"])


def _row(name: str, value: object) -> dict[str, str]:
    return {"what": name.replace("_", " "), "value": str(value)}
