"""Gates in a row, and overrides: each names one gate, and the reason why its refusal is overruled."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from assay.errors import RegistryError

if TYPE_CHECKING:
    from assay.contract.checks import Check

Case = TypeVar("Case")


def ensure_overridable(
    overrides: Mapping[str, str], gates: Collection[str], absolute: Collection[str] = ()
) -> None:
    """Refuse an override of no gate, of an absolute one, or without a reason."""
    for gate, reason in overrides.items():
        if gate not in gates or gate in absolute:
            found = "cannot be overruled" if gate in absolute else "no such gate"
            expected = f"one of {', '.join(name for name in gates if name not in absolute)}"
            raise RegistryError(f"--override {gate}", found, expected)
        if not reason.strip():
            raise RegistryError(f"--override {gate}", "no reason", "--reason '…', one an override")


def judge(
    gates: Mapping[str, Callable[[Case], Check]], case: Case, overrides: Mapping[str, str]
) -> list[Check]:
    """Ask each gate, and print what it said."""
    checks = []
    for name, gate in gates.items():
        check = gate(case)
        overruled = not check.passed and name in overrides
        print(check.line() + (f" · overruled: {overrides[name]}" if overruled else ""), flush=True)
        checks.append(check)
    return checks


def refusals(checks: Sequence[Check], overrides: Mapping[str, str]) -> list[Check]:
    """Return the checks that failed and are not overruled."""
    return [check for check in checks if not check.passed and check.name not in overrides]


def used(checks: Sequence[Check], overrides: Mapping[str, str]) -> dict[str, str]:
    """Return the overrides of which there was need, gate → reason."""
    failed = {check.name for check in checks if not check.passed}
    return {gate: reason.strip() for gate, reason in overrides.items() if gate in failed}
