"""Preflight of laws: what the data's twins and views take for granted, as the plan judges it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.contract.checks import Check

if TYPE_CHECKING:
    from assay.learning.plan import Plan


def judge_laws(plan: Plan) -> list[Check]:
    """Return a check for each law; none where a plan takes none for granted."""
    laws = plan.laws() if plan.laws is not None else ()
    return [
        Check(law.name, law.holds, law.expected, law.found, law.checked, list(law.rows))
        for law in laws
    ]
