"""Validate: the label gate, before anything is split or trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assay.contract.system_capabilities import SupportsImageChecks, SupportsSummary
from assay.gates.agreement import judge_agreement
from assay.gates.ids import judge_ids
from assay.gates.labels import judge_labels, label_profile
from assay.gates.units import judge_units
from assay.gates.verdict import Verdict
from assay.lookup import find_system
from assay.manifest.kept import KeptFiles
from assay.manifest.layout import Layout
from assay.manifest.storage import read_storage
from assay.manifest.table import read_table
from assay.pages.agreement import agreement_figure
from assay.pages.gate import write_gate_page
from assay.pages.parts import draw_parts
from assay.sections.data import Policy

if TYPE_CHECKING:
    from assay.stages.launch import Stage


def main(stage: Stage) -> None:
    """Judge the manifest of `stage.item` and write `labels.json`, and the page that shows it."""
    system = find_system(stage.item)
    layout = Layout(stage.item)
    table, facts = read_table(layout.manifest, f"ingest@{stage.item}")
    policy = Policy.model_validate(stage.value(f"{stage.item}.policy"))
    checks = judge_labels(
        table,
        system.target,
        system.rules(),
        policy.conflict,
        float(stage.value(f"{stage.item}.ingest.max_broken_share")),
        stage.item,
        system.covariates,
    )
    checks.append(judge_ids(table, facts["group_kind"], policy.spelling, stage.item))
    checks += system.checks(table)
    checks += judge_units(table, system, policy.units)
    stored = KeptFiles(stage.root, read_storage(facts, stage.item))
    if isinstance(system, SupportsImageChecks):
        checks += system.check_images(table, stored.images)
    tables: dict[str, Any] = {"label by subset": label_profile(table, system.target)}
    figures: Mapping[str, bytes] = draw_parts(table, system)
    if isinstance(system, SupportsSummary):
        more, own = system.summarised(table)
        tables |= more
        figures = {**own, **figures}
    agreement = judge_agreement(table, system, stored, policy.agreement)
    checks.append(agreement.check)
    tables["agreement of pictures and labels"] = agreement.parts
    figures = {**figures, **agreement_figure(agreement)}
    mend = f"mend the source, then assay snapshot {stage.item} <source>"
    verdict = Verdict("labels", stage.item, checks, tables, mend)
    write_gate_page(verdict, layout.labels_page, stage.root, table, facts, figures)
    verdict.write_and_raise(layout.labels_verdict, layout.labels_page)
