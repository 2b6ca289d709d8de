"""Judge a stage of a curriculum: its gates, an entry of the ledger either way, and a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from assay.contract.system_capabilities import SupportsCurriculum
from assay.errors import AssayError, GateError
from assay.lookup import find_system
from assay.params import read_params
from assay.registry.committed import ensure_committed
from assay.registry.curriculum import CURRICULUM
from assay.registry.curriculum_gates import GATES, Attempt
from assay.registry.ledger import append
from assay.registry.overrides import ensure_overridable, judge, refusals, used
from assay.value_faults import PARAMS_FILE
from assay.values import undotted


def judge_stage(root: Path, data: str, overrides: Mapping[str, str]) -> int:
    """Judge the committed results of the work tree, and enter the verdict; return the stage.

    Args:
        root: the repository.
        data: the data set.
        overrides: gate → reason why its refusal is overruled.

    Raises:
        AssayError: the results are of no stage, stale, or in no commit; nothing is entered.
        GateError: a gate refused and was not overruled; that is entered.
    """
    ensure_overridable(overrides, GATES)
    attempt = _attempt(root, data)
    where, curriculum = f"stage {attempt.stage} of {data}", attempt.curriculum
    composed = [f"pipeline@{curriculum.pipeline}"] if attempt.goal.latency_ms else []
    commit = ensure_committed(root, where, f"evaluate@{curriculum.task}", *composed)
    print(f"{where} · commit {commit[:12]}")
    checks = judge(GATES, attempt, overrides)
    refused, facts = refusals(checks, overrides), attempt.rows[1]
    append(
        root,
        CURRICULUM,
        f"{where} {'failed' if refused else 'passed'}",
        {
            "data": data,
            "stage": attempt.stage,
            "commit": commit,
            "source": facts["source"],
            "listing_digest": facts["listing_digest"],
            "overrides": used(checks, overrides),
            "gates": {check.name: check.found for check in checks},
            "refused": {check.name: check.found for check in refused},
        },
    )
    if refused:
        override = f"assay curriculum {data} --override {refused[0].name} --reason '…'"
        raise GateError(
            where,
            "; ".join(f"{check.name}: {check.found}" for check in refused),
            "; ".join(check.expected for check in refused),
            "; ".join([*(check.mend for check in refused), f"or {override}"]),
        )
    return attempt.stage


def _attempt(root: Path, data: str) -> Attempt:
    system = find_system(data)
    if not isinstance(system, SupportsCurriculum):
        raise AssayError(data, "has no curriculum", "data whose system offers one")
    params, curriculum = undotted(read_params(root / PARAMS_FILE), data), system.curriculum()
    stage = params["ingest"]["stage"]
    if stage not in curriculum.stages:
        raise AssayError(
            f"{data}.ingest.stage", f"`{stage}` is no stage",
            f"one of {', '.join(map(str, curriculum.stages))}",
            f"dvc exp run -S {data}.ingest.stage=1",
        )  # fmt: skip
    return Attempt(root, data, params, stage, curriculum.stages[stage], curriculum)
