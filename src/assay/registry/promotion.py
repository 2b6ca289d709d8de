"""The door: a candidate becomes champion through its gates, and back; the ledger is written first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import RegistryError
from assay.registry.heal import heal, sync_models
from assay.registry.ledger import append
from assay.registry.overrides import ensure_overridable, judge, refusals, used
from assay.registry.promotion_context import read_context
from assay.registry.promotion_gates import ABSOLUTE, GATES
from assay.registry.seal import look
from assay.registry.versions import PROMOTION, ROLLBACK, current_aliases
from assay.runs.lock import held
from assay.runs.places import named_lock

if TYPE_CHECKING:
    from assay.contract.checks import Check
    from assay.registry.promotion_context import PromotionContext
    from assay.registry.seal import Look
    from assay.registry.versions import Version


@dataclass(frozen=True)
class Promoted:
    """A promotion that took place."""

    version: Version
    previous: int | None
    look: Look


def promote(root: Path, task: str, overrides: Mapping[str, str]) -> Promoted:
    """Send the candidate through the gates, look at the test set once, and make it champion.

    Args:
        root: the repository.
        task: the task's name.
        overrides: gate → reason why its refusal is overruled.

    Raises:
        RegistryError: a gate refused and was not overruled; nothing changed, and no look was used.
    """
    ensure_overridable(overrides, GATES, ABSOLUTE)
    with held(named_lock(root, f"promote-{task}"), "another promotion runs; waiting"):
        case = read_context(root, task)
        runs = heal(root).runs
        print(f"promote {case.candidate.tag} · commit {case.candidate.commit[:12]}")
        checks = judge(GATES, case, overrides)
        _ensure_passed(case, checks, overrides)
        seen = look(root, case.candidate, "promotion")
        _enter(case, checks, overrides)
        sync_models(root, runs)
    return Promoted(case.candidate, case.champion.number if case.champion else None, seen)


def rollback(root: Path, task: str, reason: str) -> tuple[int, int]:
    """Make the previous champion champion again; return the numbers of the old and the new one.

    Raises:
        RegistryError: there is no champion, or none before it.
    """
    with held(named_lock(root, f"promote-{task}"), "another promotion runs; waiting"):
        runs, stands = heal(root).runs, current_aliases(root, task)
        if stands.champion is None or stands.previous is None:
            said = f"v{stands.champion} is the first champion" if stands.champion else "no champion"
            raise RegistryError(f"rollback {task}", said, "a champion before it", "assay models")
        append(
            root,
            ROLLBACK,
            f"rollback {task}: v{stands.champion} → v{stands.previous}",
            {
                "task": task,
                "version": stands.previous,
                "from": stands.champion,
                "reason": reason,
            },
        )
        sync_models(root, runs)
    return stands.champion, stands.previous


def _ensure_passed(
    case: PromotionContext, checks: Sequence[Check], overrides: Mapping[str, str]
) -> None:
    """Refuse; the first refusal is told in words, all of them were printed."""
    refused = refusals(checks, overrides)
    if not refused:
        return
    first = refused[0]
    champion = f"champion v{case.champion.number}" if case.champion else "the trivial predictor"
    found = first.found
    if first.name == "better":
        found = f"candidate v{case.candidate.number} is not better than {champion}: {first.found}"
    names = ", ".join(check.name for check in refused)
    raise RegistryError(
        f"promote {case.candidate.tag}",
        f"{found}. Refused by: {names}. Nothing changed; the test set was not opened",
        first.expected,
        first.mend or f"assay promote {case.candidate.task} --override {first.name} --reason '…'",
    )


def _enter(case: PromotionContext, checks: Sequence[Check], overrides: Mapping[str, str]) -> None:
    version, overruled = case.candidate, used(checks, overrides)
    previous = case.champion.number if case.champion else None
    append(
        case.root,
        PROMOTION,
        f"promotion {version.tag}" + "".join(f" · overrides {name}" for name in overruled),
        {
            "task": version.task,
            "version": version.number,
            "result": version.result,
            "commit": version.commit,
            "tag": version.tag,
            "previous": previous,
            "overrides": overruled,
            "gates": {check.name: check.found for check in checks},
        },
    )
