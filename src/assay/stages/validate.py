"""Validate: the label gate, before anything is split or trained."""

from __future__ import annotations

from assay import contract
from assay.gates.labels import judge_labels, profile
from assay.gates.verdict import Verdict
from assay.manifest.layout import Layout
from assay.manifest.table import read_table
from assay.pages.gate import write_gate_page
from assay.stages.launch import Stage


def main(stage: Stage) -> None:
    """Judge the manifest of `stage.item` and write `labels.json`, and the page that shows it."""
    system = contract.find_system(stage.item)
    layout = Layout(stage.item)
    table, facts = read_table(layout.manifest, f"ingest@{stage.item}")
    checks = judge_labels(
        table,
        system.target,
        system.rules(),
        str(stage.value(f"{stage.item}.policy.conflict")),
        float(stage.value(f"{stage.item}.ingest.max_broken_share")),
        stage.item,
    )
    checks += system.checks(table)
    tables = {"label by subset": profile(table, system.target)}
    verdict = Verdict("labels", stage.item, checks, tables)
    write_gate_page(verdict, layout.labels_page, stage.root, table, facts)
    verdict.settle(layout.labels_verdict, layout.labels_page)
