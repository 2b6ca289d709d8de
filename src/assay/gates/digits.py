"""How finely a part is written, and how widely spread: what rounding and filling-down leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from assay.gates.blocks import longest_run

if TYPE_CHECKING:
    from assay.gates.measured import Bools, Found, Measured, Part

CHANCE = 1e-3  # of a false finding, of one kind in a whole set
FEWEST = 8  # subjects of a part, of whose spread something can be said
WHOLE, HALF = (
    0.35,
    0.55,
)  # shares of whole numbers, and of halves, that honest rounding by eye may reach
SEVERAL = 0.05  # the same of rows of several numbers, all of them whole
ALL = 0.9  # of a part: the others are faults
USUAL = 0.15  # share that one value may honestly have
RUN = 0.2  # share of whole numbers that the lines around a run are thought to have at least
VARIED = 4  # distinct values of a run of whole numbers: one value may be many people's


def judge_digits(each: Measured, parts: Sequence[Part]) -> Found:
    """Find parts and runs of whole numbers, or of halves, where there should be decimals."""
    if each.quantity.decimals == 0:
        return []
    found: Found = []
    usual = WHOLE if each.width == 1 else SEVERAL
    everything = np.ones(len(each.value), dtype=bool)
    text = _rounded(each, "the set", everything, CHANCE) if each.quantity.decimals else ""
    if text and each.half.mean() > ALL:
        return [(text, everything)]
    if each.quantity.decimals:
        found += _parts_rounded(each, parts)
    else:
        found += _parts_unlike(each, parts, usual)
    return found or _runs_of_whole(each) or ([(text, everything)] if text else [])


def _parts_rounded(each: Measured, parts: Sequence[Part]) -> Found:
    level = CHANCE / max(2 * len(parts), 1)
    said = [(_rounded(each, part.name, part.rows, level), part.rows) for part in parts]
    return [(text, rows) for text, rows in said if text]


def _rounded(each: Measured, name: str, rows: Bools, level: float) -> str:
    count = int(rows.sum())
    for same, usual, what in ((each.whole, WHOLE, "whole numbers"), (each.half, HALF, "halves")):
        hits = int(same[rows].sum())
        if stats.binom.sf(hits - 1, count, usual) < level:
            measure = f"{each.quantity.unit} is measured with {each.quantity.decimals} decimal"
            return f"{name}: {hits} of {count} values are {what}; {measure}"
    return ""


def _parts_unlike(each: Measured, parts: Sequence[Part], usual: float) -> Found:
    """Find parts of whole numbers where the rest has decimals, or the other way round."""
    found: Found = []
    level = CHANCE / max(2 * len(parts), 1)
    for part in parts:
        own, rest = each.whole[part.rows], each.whole[~part.rows]
        if min(len(own), len(rest)) == 0:
            continue
        base = float(rest.mean())
        many = stats.binom.sf(own.sum() - 1, len(own), max(base, usual)) < level
        if many and own.mean() > 0.9 and base < 0.5:
            text = (
                f"{part.name}: {own.sum()} of {len(own)} are whole numbers, of the rest {base:.0%}"
            )
            found.append((text, part.rows))
    return found


def _runs_of_whole(each: Measured) -> Found:
    """Find consecutive lines of whole numbers."""
    found: Found = []
    for name, lines in each.tables():
        value, whole = each.value[lines], each.whole[lines]
        start, stop = longest_run(whole, value)
        run = lines[start:stop]
        around = np.delete(whole, slice(start, stop))
        if not len(around):
            continue
        usual = max(float(around.mean()), RUN if each.width == 1 else SEVERAL)
        steps = 1 + int((np.diff(value[start:stop]) != 0).sum()) if len(run) else 0
        if (
            usual < 0.5
            and len(lines) * usual**steps < CHANCE
            and len(set(each.value[run])) >= VARIED
        ):
            first, last = each.lines(run)
            text = f"{name} lines {first}–{last}: {len(run)} whole numbers in a row"
            found.append((f"{text}, of the other lines {around.mean():.0%}", run))
    return found


def judge_spread(each: Measured, parts: Sequence[Part]) -> Found:
    """Find parts that are far narrower or wider than the rest, and values that stand too often."""
    if not np.isfinite(each.quantity.spread):
        return []
    found: Found = []
    level = CHANCE / max(2 * len(parts), 1)
    everything = np.ones(len(each.value), dtype=bool)
    for name, rows in [("the set", everything), *((part.name, part.rows) for part in parts)]:
        text = _too_often(each, name, rows, level) or _too_wide(each, name, rows, level)
        if text:
            found.append((text, rows))
    return found or _filled_down(each)


def _too_wide(each: Measured, name: str, rows: Bools, level: float) -> str:
    own, others = each.subjects(rows), each.subjects(~rows)
    if min(own, others) < FEWEST:
        return ""
    one, other = (float(stats.iqr(each.value[mask])) for mask in (rows, ~rows))
    if other == 0:
        return ""
    error = 1.2 * np.sqrt(1 / own + 1 / others)
    beyond = abs(np.log(max(one / other, 1e-6))) - np.log(each.quantity.spread)
    if beyond <= float(stats.t.isf(level, min(own, others) - 1)) * error:
        return ""
    how = "constant" if one == 0 else f"{one / other:.2g} × as spread as the rest"
    return f"{name}: {how}, half of it within {one:.3g} {each.quantity.unit}"


def _too_often(each: Measured, name: str, rows: Bools, level: float) -> str:
    """Say which value has a share that nothing measured has."""
    values, counts = np.unique(each.value[rows], return_counts=True)
    total, most = int(counts.sum()), int(counts.max())
    value = float(values[counts.argmax()])
    if stats.binom.sf(most - 1, total, USUAL) >= level / len(values):
        return ""
    return f"{name}: {most} of {total} values are {value:g} {each.quantity.unit}"


def _filled_down(each: Measured) -> Found:
    """Find one value of different subjects in a row, longer than the table's order makes likely."""
    found: Found = []
    for name, lines in each.tables():
        value = each.value[lines]
        same = np.diff(value) == 0
        borders = np.flatnonzero(~same) + 1
        starts, stops = np.r_[0, borders], np.r_[borders, len(value)]
        place = int(np.argmax(stops - starts))
        start, stop = starts[place], stops[place]
        around = np.delete(same, slice(start, stop - 1))
        if not len(around):
            continue
        usual = max(float(around.mean()), 0.1)
        if len(lines) * usual ** (stop - start - 1) < CHANCE:
            first, last = each.lines(lines[start:stop])
            text = f"{name} lines {first}–{last}: {stop - start} subjects in a row with"
            found.append((f"{text} {value[start]:g} {each.quantity.unit}", lines[start:stop]))
    return found
