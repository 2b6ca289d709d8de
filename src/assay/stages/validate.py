"""Validate: the label gate, before anything is split or trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.contract.system_capabilities import SupportsImageChecks, SupportsSummary
from assay.gates.ids import judge_ids
from assay.gates.labels import judge_labels, label_profile
from assay.gates.units import judge_units
from assay.gates.verdict import Verdict
from assay.lookup import find_system
from assay.manifest.kept import kept_images
from assay.manifest.layout import Layout
from assay.manifest.storage import read_storage
from assay.manifest.table import read_table
from assay.pages.gate import write_gate_page
from assay.pages.parts import draw_parts

if TYPE_CHECKING:
    from assay.stages.launch import Stage


def main(stage: Stage) -> None:
    """Judge the manifest of `stage.item` and write `labels.json`, and the page that shows it."""
    system = find_system(stage.item)
    layout = Layout(stage.item)
    table, facts = read_table(layout.manifest, f"ingest@{stage.item}")
    checks = judge_labels(
        table,
        system.target,
        system.rules(),
        str(stage.value(f"{stage.item}.policy.conflict")),
        float(stage.value(f"{stage.item}.ingest.max_broken_share")),
        stage.item,
        system.covariates,
    )
    spelt = str(stage.value(f"{stage.item}.policy.spelling"))
    checks.append(judge_ids(table, facts["group_kind"], spelt, stage.item))
    checks += system.checks(table)
    checks += judge_units(table, system, str(stage.value(f"{stage.item}.policy.units")))
    if isinstance(system, SupportsImageChecks):
        checks += system.check_images(table, _fetch(stage, facts))
    tables: dict[str, Any] = {"label by subset": label_profile(table, system.target)}
    figures: Mapping[str, bytes] = draw_parts(table, system)
    if isinstance(system, SupportsSummary):
        more, own = system.summarised(table)
        tables |= more
        figures = {**own, **figures}
    verdict = Verdict("labels", stage.item, checks, tables)
    write_gate_page(verdict, layout.labels_page, stage.root, table, facts, figures)
    verdict.write_and_raise(layout.labels_verdict, layout.labels_page)


def _fetch(stage: Stage, facts: Mapping[str, Any]) -> Callable[[pl.Series], npt.NDArray[np.uint8]]:
    """Return a function: digests → stored images, of those that ingest made."""
    storage = read_storage(facts, stage.item)

    def stored(digests: pl.Series) -> npt.NDArray[np.uint8]:
        pixels, slots = kept_images(stage.root, storage, digests)
        found: npt.NDArray[np.uint8] = pixels[slots]
        return found

    return stored
