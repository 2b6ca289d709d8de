"""Leakage: the gate between the split and the training; a stage of its own, apart from the splitter."""

from __future__ import annotations

from assay.gates.leakage import judge_leakage
from assay.gates.verdict import Verdict
from assay.manifest.layout import Layout
from assay.manifest.table import read_table
from assay.stages.launch import Stage


def main(stage: Stage) -> None:
    """Judge the split of `stage.item` and write `leakage.json`."""
    layout = Layout(stage.item)
    manifest, _ = read_table(layout.manifest, f"ingest@{stage.item}")
    splits, _ = read_table(layout.splits, f"split@{stage.item}")
    checks = judge_leakage(manifest, splits)
    Verdict("leakage", stage.item, checks).settle(layout.leakage_verdict)
