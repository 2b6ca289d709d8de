"""The claim check: a number as somebody wants to state it, judged by the facts stated with it.

**Refused** is a statement that its own facts contradict, whatever the number: a gain between two test
sets, two measures, or in per cent of nothing; an interval called by patient that was drawn by image;
the best of several that is given without saying of how many; a gain that rests on a refused number.
**Remarked**, beside the number, is what is true and proves little: few subjects, an error not better
than the spread of its own labels, the best of N with its N, an interval by image, no interval, nothing
to compare with.

A fault is one function, which returns its check, or None. A remark is a check that passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.contract.checks import Check
from assay.contract.listing import GROUP_KINDS
from assay.contract.score import Score
from assay.runs.summary import COUNTED, FEWEST, best_of_many, beyond_spread, few_subjects

if TYPE_CHECKING:
    from assay.gates.claims import Claim, Gain


def judge_claim(claim: Claim) -> list[Check]:
    """Return what is refused of a claim, then what is remarked."""
    return _found(
        best_of_unstated(claim),
        interval_by_image(claim),
        too_few_subjects(claim),
        not_better_than_its_spread(claim),
        best_of_several(claim),
        interval_below_patient(claim),
        no_interval(claim),
        no_spread(claim),
    )


def judge_gain(gain: Gain) -> list[Check]:
    """Return what is refused of a gain; its two numbers carry their own remarks."""
    return _found(
        different_sets(gain), different_measures(gain), no_per_cent(gain), rests_on_refused(gain)
    )


def different_sets(gain: Gain) -> Check | None:
    """Refuse a gain across sets: it shows how hard each set is, not which model is better."""
    before, after = gain.before, gain.after
    if before.rests_on() == after.rests_on():
        return None
    found = f"{before.value:g} on {before.rests_on()}; {after.value:g} on {after.rests_on()}"
    return _refusal("sets", found, "both on the same rows", "score both models on one of the sets")


def different_measures(gain: Gain) -> Check | None:
    """Refuse a gain between two metrics or two units."""
    old, new = (f"{each.metric} {each.unit}".strip() for each in (gain.before, gain.after))
    if old.casefold() == new.casefold():
        return None
    return _refusal("measures", f"{old} against {new}", "one metric in one unit")


def no_per_cent(gain: Gain) -> Check | None:
    """Refuse per cent of what has no natural zero: an R² may be 0, or below."""
    if gain.stated == "difference" or gain.before.value > 0:
        return None
    found = f"per cent of {gain.before.value:g}"
    return _refusal("per cent", found, "per cent of a number above 0", "state the difference")


def rests_on_refused(gain: Gain) -> Check | None:
    """Refuse a gain one of whose numbers is refused."""
    found = [
        f"{claim.value:g}: {check.found}"
        for claim in (gain.before, gain.after)
        for check in judge_claim(claim)
        if not check.passed
    ]
    return _refusal("rests on", "; ".join(found), "two numbers that stand") if found else None


def best_of_unstated(claim: Claim) -> Check | None:
    """Refuse the best of N without N: the minimum of many is low by chance alone."""
    if claim.best_of is None:
        return _refusal("best of", "nobody knows of how many", "N counted and stated")
    if claim.best_of == 1 or claim.says_so:
        return None
    found = f"the best of {claim.best_of}, and the statement does not say so"
    return _refusal("best of", found, f"“the best of {claim.best_of}” in the statement")


def interval_by_image(claim: Claim) -> Check | None:
    """Refuse an interval called by more than was drawn, or than the groups are known to be.

    Pictures of one person are not independent: drawn by image, an interval is too narrow.
    """
    given = claim.interval
    if given is None:
        return None
    true = min(given.drawn, claim.group_kind, key=_rank)
    if _rank(given.by) <= _rank(true):
        return None
    found = f"called by {given.by}, and is by {_called(true)}"
    return _refusal("interval", found, f"“by {_called(true)}” in the statement")


def too_few_subjects(claim: Claim) -> Check | None:
    """Remark fewer subjects than an interval needs; see `FEWEST`."""
    expected = f"{FEWEST} {claim.counted}"
    return _remark("subjects", few_subjects(claim.subjects, claim.counted), expected)


def not_better_than_its_spread(claim: Claim) -> Check | None:
    """Remark a number that the mean of its own labels reaches; from the spread, or from R² alone."""
    said = []
    if claim.spread is not None and _score(claim).gain(claim.value, claim.spread) <= 0:
        said.append(f"not better than its own spread: the mean of its labels has {claim.spread:g}")
    r2 = _r2(claim)
    if r2 is not None and (worse := beyond_spread(r2)):
        said.append(worse)
    return _remark("spread", "; ".join(said), "better than the mean of the set's own labels")


def best_of_several(claim: Claim) -> Check | None:
    """Remark the best of N that says so."""
    return _remark("best of", best_of_many(claim.best_of or 1) if claim.says_so else "", "")


def interval_below_patient(claim: Claim) -> Check | None:
    """Remark an interval by session or by image that is called so."""
    given = claim.interval
    if given is None or given.by == "patient" or interval_by_image(claim):
        return None
    return _remark("interval", f"by {_called(given.by)}", "by patient, where patients are known")


def no_interval(claim: Claim) -> Check | None:
    """Remark a number without an interval."""
    return _remark("interval", "" if claim.interval else "none given", "an interval by group")


def no_spread(claim: Claim) -> Check | None:
    """Remark a number that nothing is compared with."""
    known = claim.spread is not None or _r2(claim) is not None
    return _remark(
        "spread", "" if known else "not given, so nothing to compare with", "spread or r2"
    )


def _refusal(name: str, found: str, expected: str, mend: str = "") -> Check:
    return Check(name, False, expected, found, 1, mend=mend)


def _remark(name: str, found: str, expected: str) -> Check | None:
    return Check(name, True, expected, found, 1) if found else None


def _found(*checks: Check | None) -> list[Check]:
    return [check for check in checks if check is not None]


def _score(claim: Claim) -> Score:
    return Score(claim.metric, claim.unit, best=claim.best)


def _r2(claim: Claim) -> float | None:
    return claim.value if claim.metric.casefold() == "r2" else claim.r2


def _rank(kind: str) -> int:
    """Return how much a kind of group promises; the most for patients."""
    return -GROUP_KINDS.index(kind)


def _called(kind: str) -> str:
    return kind if kind in COUNTED else "image"
