"""Units and scales: no part of a set, and no block of a table, is written otherwise than the rest.

Each part (table, folder, clinic, device) is held against all others and against what is possible. Parts
may honestly differ, by `Quantity.apart`; what stops is beyond that and chance, and gone in another unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from assay.contract.checks import Check
from assay.gates.blocks import other_unit
from assay.gates.digits import CHANCE, judge_digits, judge_spread
from assay.gates.measured import Part, measure_quantities, part_columns

if TYPE_CHECKING:
    import polars as pl

    from assay.contract.system import System
    from assay.gates.measured import Bools, Chosen, Floats, Found, Measured

FEWEST, FEWEST_REST = 5, 8  # subjects of a part, and of what it is held against
ALIKE = 0.25  # distance of distributions that another unit may leave: honest hospitals reach 0.24
NEARLY = 0.95  # of rows: the others are faults of their own
LINES = 4000  # of a table, of which more are thinned out to look for blocks
IMPOSSIBLE = "values"  # the check that no policy lets pass: nothing that cannot be is meant so
SHOWN = 20  # rows of a part, to look at


def judge_units(table: pl.DataFrame, system: System, policy: str) -> list[Check]:
    """Return the checks of a manifest; under the policy `tell` only values that cannot be stop."""
    checks = []
    for each in measure_quantities(table, system):
        parts = list(each.parts(part_columns(system, each.table)))
        judged = {
            IMPOSSIBLE: (_impossible(each, parts), f"all possible, in {each.quantity.unit}"),
            "units": (_units(each, parts), "every part and every block of lines in one unit"),
            "digits": (judge_digits(each, parts), "every part as finely written as it is measured"),
            "spread": (
                judge_spread(each, parts),
                "every part as spread as the rest, no value too often",
            ),
        }
        name = each.quantity.family or each.quantity.name
        checks += [
            _check(f"{kind}: {name}", found, expected, each, system.name,
                   "" if kind == IMPOSSIBLE else policy)
            for kind, (found, expected) in judged.items()
        ]  # fmt: skip
    return checks


def _check(
    name: str, found: Found, expected: str, each: Measured, system: str, policy: str
) -> Check:
    said = "; ".join(text for text, _ in found[:4]) or f"so in all {len(each.value)} values"
    said += f"; and {len(found) - 4} more" if len(found) > 4 else ""
    said += "; policy tell" if found and policy == "tell" else ""
    ids = each.table["sample_id"].to_numpy()
    rows = [
        {"sample_id": sample, "reason": f"{value:g}"}
        for _, mask in found
        for sample, value in zip(ids[mask][:SHOWN], each.value[mask][:SHOWN], strict=True)
    ]
    mend = f"mend the table, then: assay snapshot {system} <source>"
    if policy:
        mend += f"; where it is meant so: dvc exp run -S {system}.policy.units=tell"
    sound = not found or policy == "tell"
    return Check(name, sound, expected, said, len(each.value), rows, "" if sound else mend)


def _impossible(each: Measured, parts: Sequence[Part]) -> Found:
    """Find impossible values, and parts whose median is; and say which unit would make them possible."""
    low, high = each.quantity.possible
    outside = (each.value < low) | (each.value > high)
    found: Found = []
    if outside.any():
        example = each.table["sample_id"].to_numpy()[outside][0]
        text = f"{outside.sum()} of {len(outside)} values outside {low:g}–{high:g}"
        text += f" {each.quantity.unit}, e.g. {example} {each.value[outside][0]:g}"
        found.append((text + _explained(each, outside), outside))
    least, most = each.quantity.median
    everything = Part("the set", np.ones(len(outside), dtype=bool))
    whole = _median_outside(each, everything, 1)
    for part in [everything] if whole else parts:
        if _median_outside(each, part, len(parts) + 1):
            text = f"{part.name}: a median of {np.median(each.value[part.rows]):.3g}"
            text += f" {each.quantity.unit}, expected {least:g}–{most:g}"
            found.append((text + _explained(each, part.rows), part.rows))
    return found


def _median_outside(each: Measured, part: Part, parts: int) -> bool:
    """Whether a part's median is impossible, beyond chance."""
    (least, most), count = each.quantity.median, each.subjects(part.rows)
    if count < FEWEST:
        return False
    one = each.value[part.rows]
    middle, error = float(np.median(one)), 1.2533 * stats.iqr(one) / 1.349 / np.sqrt(count)
    beyond = float(stats.t.isf(CHANCE / parts, count - 1)) * error
    return bool(max(least - middle, middle - most) > beyond)


def _explained(each: Measured, rows: Bools) -> str:
    """Say which other units make nearly all of the rows possible, and their median."""
    (low, high), (least, most) = each.quantity.possible, each.quantity.median
    found = []
    for unit, values in each.others.items():
        mine = values[rows]
        possible = float(np.mean((mine >= low) & (mine <= high)))
        if possible >= NEARLY and least <= float(np.median(mine)) <= most:
            found.append(unit)
    return f": looks most like {' or '.join(found)}" if found else ""


def _units(each: Measured, parts: Sequence[Part]) -> Found:
    """Find parts, or all but a part, in another unit or scale; and blocks of lines."""
    level = CHANCE / max(4 * len(parts), 1)
    others = [Part(f"all but {part.name}", ~part.rows) for part in parts]
    found: Found = []
    for asked in (parts, others):
        if found:  # all but a part are odd only where no part is
            break
        said = [(_other_scale(each, part, level), part.rows) for part in asked]
        found = [(text, rows) for text, rows in said if text]
    return found + _blocks(each)


def _other_scale(each: Measured, part: Part, level: float) -> str:
    count = (each.subjects(part.rows), each.subjects(~part.rows))
    if count[0] < FEWEST or count[1] < FEWEST_REST:
        return ""
    one, other = each.value[part.rows], each.value[~part.rows]
    if not _apart(one, other, count, each.quantity.apart, level):
        return ""
    return _other_unit(each, part, count) or _too_far(each, part, count, level)


def _apart(one: Floats, other: Floats, count: tuple[int, int], share: float, level: float) -> bool:
    """Whether medians lie further apart than a share of the other's, beyond chance; by subjects."""
    away, error = _distance(one, other, count)
    limit = share * abs(float(np.median(other)))
    return away - limit > float(stats.t.isf(level, min(count) - 1)) * error


def _distance(one: Floats, other: Floats, count: tuple[int, int]) -> tuple[float, float]:
    """Return how far medians are apart, and the standard error of that."""
    width = [stats.iqr(each) / 1.349 for each in (one, other)]
    error = 1.2533 * np.sqrt(width[0] ** 2 / count[0] + width[1] ** 2 / count[1])
    return abs(float(np.median(one) - np.median(other))), float(error)


def _other_unit(each: Measured, part: Part, count: tuple[int, int]) -> str:
    """Say which unit a part looks most like, if the rest does not differ from it then."""
    chance = 1.36 * np.sqrt(1 / count[0] + 1 / count[1])
    one, other = each.value[part.rows], each.value[~part.rows]
    for unit, values in each.others.items():
        away, error = _distance(values[part.rows], other, count)
        if away > each.quantity.apart * abs(float(np.median(other))) + error:
            continue
        left = stats.ks_2samp(values[part.rows], other).statistic
        if left <= ALIKE + chance and left < stats.ks_2samp(one, other).statistic:
            return _likeness(each, part.name, part.rows, ~part.rows, unit)
    return ""


def _likeness(each: Measured, name: str, rows: Chosen, rest: Chosen, unit: str) -> str:
    own, other, turned = (
        float(np.median(values))
        for values in (each.value[rows], each.value[rest], each.others[unit][rows])
    )
    return (
        f"{name}: looks most like {unit}, a median of {own:.3g} where the rest's is {other:.3g}"
        f" {each.quantity.unit}; converted {turned:.3g}"
    )


def _too_far(each: Measured, part: Part, count: tuple[int, int], level: float) -> str:
    one, other = each.value[part.rows], each.value[~part.rows]
    if not _apart(one, other, count, each.quantity.limit, level):
        return ""
    own, rest = float(np.median(one)), float(np.median(other))
    return f"{part.name}: a median of {own:.3g}, {own / rest:.2f} × the rest's: another scale"


def _blocks(each: Measured) -> Found:
    """Find blocks of consecutive lines, table by table, in another unit."""
    found: Found = []
    for name, all_lines in each.tables():
        lines = all_lines[:: max(len(all_lines) // LINES, 1)]
        for unit, values in each.others.items():
            block = other_unit(each.value[lines], values[lines])
            if block is None:
                continue
            inside, outside = lines[slice(*block)], np.delete(lines, slice(*block))
            one, other = each.value[inside], each.value[outside]
            if _apart(one, other, (_runs(one), _runs(other)), each.quantity.apart, CHANCE / 100):
                first, last = each.lines(inside)
                text = f"{name}, about lines {first}–{last}"
                found.append((_likeness(each, text, inside, outside, unit), inside))
                break
    return found


def _runs(value: Floats) -> int:
    """Count values, equal neighbours once: a table may be sorted here and there."""
    return 1 + int((np.diff(value) != 0).sum())
