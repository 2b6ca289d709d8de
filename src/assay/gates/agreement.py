"""Whether labels belong to their pictures, part by part: what the other parts teach must hold in each.

A ridge learns labels from a few numbers of pictures (`Traces`) on the other parts, and is asked about
this one. Subjects are the unit: their labels are exchanged to say what chance predicts, and they are
dealt to parts at random to say how unlike two equal parts are. It stops where the others' labels are seen
in their pictures and this part's are not, or lie elsewhere than its pictures show; or where a system says
that its labels are visible and none is. What too few subjects cannot tell is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.contract.checks import Check
from assay.contract.system_capabilities import SupportsAgreement
from assay.gates.colour_traces import colour_traces
from assay.gates.cross_fit import SEED, components, cross_fitted, scaled
from assay.gates.part_against import DRAWS, chance, compare_part, other_picture
from assay.manifest.index import OK

if TYPE_CHECKING:
    from assay.contract.system import System
    from assay.contract.traces import KeptData, Traces
    from assay.gates.cross_fit import Floats, Indices
    from assay.gates.part_against import Against

NAME = "agreement"
EXPECTED = "labels that belong to their pictures, in each part as in the others"
ALPHA = 0.01  # of a sound set that is stopped
SEEN = 0.01  # chance, at most, of labels that are said to be seen
TRACE = 0.05  # R², at least, of labels that are said to be seen where nobody says that they can be
ROWS = 1200  # looked at, at most: subjects in turn from each part
FEWEST = 10  # subjects of a part that is asked
ENOUGH = 60  # subjects among whom visible labels are seen, if they are there
HALF = 0.5  # of the others' slope: below it a part is not predicted as they are
FAR = 0.25  # standard deviations that a part lies off
SHOWN = 20  # rows of a part that fit least
POWER = 0.84  # standard errors beyond the threshold: seen in 80 %

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Agreement:
    """What was found: the check, a table of the parts, and predictions beside labels for a picture."""

    check: Check
    parts: Sequence[Mapping[str, Any]] = ()
    said: Floats | None = None
    told: Floats | None = None
    part: Sequence[str] = ()


def judge_agreement(
    table: pl.DataFrame, system: System, stored: KeptData, policy: str
) -> Agreement:
    """Judge a manifest; `policy` is `stop`, or `tell` what would stop."""
    kept = table.filter(pl.col("status") == OK)
    known = [name for name in system.exchangeable if name in kept.columns]
    columns = [name for name in known if kept[name].n_unique() > 1]
    chosen = in_turn(kept, columns)
    told = system if isinstance(system, SupportsAgreement) else None
    traces = told.traces(chosen, stored) if told else colour_traces(chosen, system, stored)
    return judge_traces(traces, chosen, columns, system, policy)


def judge_traces(
    traces: Traces, chosen: pl.DataFrame, columns: Sequence[str], system: System, policy: str
) -> Agreement:
    """Judge traces of rows of the table `chosen`, part by part of each column."""
    seen = _Seen.of(traces, chosen)
    if seen is None:
        return Agreement(_check(True, "not judged: no labels that vary beside pictures that do", 0))
    whole, points = _whole(seen, system.is_visible)
    parts = [_by_part(seen, column, system, len(columns)) for column in columns]
    stops = [words for part in parts for words in part.stops]
    remarks = [words for part in parts for words in part.remarks]
    stops, remarks = (stops, [whole[1], *remarks]) if whole[0] or stops else ([whole[1]], remarks)
    passed = not stops or policy == "tell"
    words = "; ".join([*stops, *remarks])
    mend = (
        f"mend the labels, then assay snapshot {system.name} <source>; if they are as they should be:"
        f" dvc exp run -S {system.name}.policy.agreement=tell"
    )
    if stops and passed:
        words = f"policy tell: {words}"
    samples = [row for part in parts for row in part.samples]
    points = next((part.points for part in parts if part.points), points)
    return Agreement(
        _check(passed, words, len(chosen), samples, "" if passed else mend),
        [row for part in parts for row in part.rows],
        *seen.in_units(*points),
        part=chosen[columns[0] if columns else "subset"].gather(seen.rows).to_list(),
    )


def in_turn(kept: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Return at most about `ROWS` rows, whole subjects, in turn from each part, in their order."""
    if len(kept) <= ROWS:
        return kept
    keys = ["group_id", *columns]
    units = kept.group_by(keys).agg(size=pl.len()).sort(keys)
    units = units.sample(fraction=1, shuffle=True, seed=SEED)
    turn = pl.int_range(pl.len()).over(columns) if columns else pl.int_range(pl.len())
    units = units.with_columns(turn=turn).sort("turn", *keys)
    units = units.filter(pl.col("size").cum_sum() <= ROWS)
    return kept.join(units.select(keys), on=keys, how="semi", maintain_order="left")


def _check(
    passed: bool, found: str, checked: int, rows: Sequence[Any] = (), mend: str = ""
) -> Check:
    return Check(NAME, passed, EXPECTED, found, checked, rows, mend)


@dataclass(frozen=True)
class _Seen:
    """Traces of whole rows, the components of their labels, and the table's rows."""

    pictures: Floats
    labels: Floats
    told: Floats
    rows: Indices
    table: pl.DataFrame

    @classmethod
    def of(cls, traces: Traces, table: pl.DataFrame) -> _Seen | None:
        whole = np.isfinite(traces.labels).all(axis=1)
        told = traces.labels[whole]
        if len(told) < FEWEST:
            return None
        pictures, labels = scaled(traces.pictures[whole]), components(told)
        if not pictures.shape[1] or not labels.shape[1]:
            return None
        return cls(pictures, labels, told, traces.rows[whole], table)

    def ordered(self, keys: Sequence[str]) -> tuple[Indices, Indices, pl.DataFrame]:
        """Return rows in the order of their subjects, each one's subject, and what subjects are."""
        rows = self.table[self.rows].select(keys)
        units = rows.unique().sort(keys, nulls_last=True).with_row_index("unit")
        joined = rows.join(units, on=keys, how="left", nulls_equal=True, maintain_order="left")
        unit = joined["unit"].to_numpy().astype(np.int64)
        order = np.argsort(unit, kind="stable")
        return order, unit[order], units

    def in_units(self, said: Floats, told: Floats) -> tuple[Floats, Floats]:
        """Return values of a component in the label's own unit, where there is one label."""
        if self.told.shape[1] > 1:
            return said, told
        scale = np.polyfit(told, self.told[:, 0], 1)
        return np.asarray(np.polyval(scale, said)), self.told[:, 0]


@dataclass
class _Found:
    """What the parts of a column show; `points` are predictions and labels of what fits least."""

    stops: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    rows: Rows = field(default_factory=list)
    samples: Rows = field(default_factory=list)
    points: tuple[Floats, Floats] | None = None


def _whole(seen: _Seen, is_visible: bool) -> tuple[tuple[bool, str], tuple[Floats, Floats]]:
    """Judge the set as one; and return prediction and label of what is predicted best."""
    order, unit, units = seen.ordered(["group_id"])
    pictures, labels = seen.pictures[order], seen.labels[order]
    said = cross_fitted(pictures, labels, unit)
    left = ((labels - said) ** 2).sum(axis=0) / ((labels - labels.mean(axis=0)) ** 2).sum(axis=0)
    best = int(np.argmin(left))
    by_chance = chance(said, labels, unit)
    back = np.argsort(order, kind="stable")
    words = f"{len(units)} subjects, R² {1 - left[best] + 0:.2f}"
    if seen.labels.shape[1] > 1:
        words += f" of the best of {seen.labels.shape[1]} components"
    judged = True, f"labels hold no trace in what is looked at of pictures ({words}): not judged"
    if by_chance <= SEEN and (is_visible or 1 - left[best] >= TRACE):
        judged = True, f"labels are seen in the pictures ({words})"
        if is_visible and other_picture(said, labels, unit):
            judged = False, f"labels are their subject's, but another picture's of it ({words})"
    elif len(units) < ENOUGH:
        judged = True, f"labels are not seen in the pictures ({words}): too few to tell"
    elif is_visible:
        judged = False, f"no label belongs to its picture, it seems: none is seen in it ({words})"
    return judged, (said[back, best], labels[back, best])


def _by_part(seen: _Seen, column: str, system: System, columns: int) -> _Found:
    """Judge the parts of a column, each against the others."""
    order, unit, units = seen.ordered(["group_id", column])
    parts = units[column].to_list()
    asked = sorted(
        name for name in set(parts) - {None} if FEWEST <= parts.count(name) <= len(parts) - FEWEST
    )
    alone = {name for name in asked if _is_alone(seen, column, name, system.kind)}
    asked = [name for name in asked if name not in alone]
    place = np.array([asked.index(name) if name in asked else -1 for name in parts])
    random = np.random.default_rng(SEED)
    dealt = np.stack([random.permutation(place) for _ in range(DRAWS)])
    pictures, labels = seen.pictures[order], seen.labels[order]
    against = {
        name: compare_part(pictures, labels, unit, place[unit] == number, dealt, number)
        for number, name in enumerate(asked)
    }
    known = {name: one for name, one in against.items() if one is not None and one.seen <= SEEN}
    alpha = ALPHA / 2 / columns
    low = _threshold([one.null_low for one in known.values()], alpha)
    off = _threshold([one.null_off for one in known.values()], alpha)
    found, ids, back = _Found(), seen.table["sample_id"], np.argsort(order, kind="stable")
    for name in asked:
        one, row = against[name], {"part": name, "subjects": parts.count(name)}
        if name not in known or one is None:
            found.rows.append({**row, "said": "the others' labels are not seen"})
            continue
        is_stop, words = _words(one, low, off, system.is_visible)
        told = {"slope": one.slope, "chance": one.own, "off": one.offset}
        found.rows.append(
            {**row, **{key: round(value, 2) for key, value in told.items()}, "said": words}
        )
        if is_stop:
            found.stops.append(f"{column} {name} ({row['subjects']} subjects): {words}")
            worst = dict.fromkeys(ids[int(seen.rows[order[line]])] for line in one.worst)
            found.samples.append({"group": name, "samples": list(worst)[:SHOWN]})
            least = int(np.argmax(one.misfit))
            found.points = found.points or (one.said[back, least], labels[back, least])
        elif words != "as the others":
            found.remarks.append(f"{column} {name}: {words}")
    found.remarks += [
        f"{column} {name}: not asked, the others have too few pictures of its kinds"
        for name in sorted(alone)
    ]
    few = sorted({str(name) for name in parts if name not in asked and name not in alone})
    if few:
        words = f"{len(few)} parts of {column} have too few subjects to tell, e.g. {few[0]}"
        found.remarks.append(words)
    return found


def _is_alone(seen: _Seen, column: str, name: str, kind: str) -> bool:
    """Whether a part has pictures of a kind that too few subjects of the others show."""
    if not kind:
        return False
    rows = seen.table[seen.rows]
    here = pl.col(column).eq_missing(name)
    there = rows.filter(~here).group_by(kind).agg(pl.col("group_id").n_unique())
    taught = there.filter(pl.col("group_id") >= FEWEST)[kind].to_list()
    return not set(rows.filter(here)[kind]) <= set(taught)


def _threshold(nulls: Sequence[Floats], alpha: float) -> float:
    """Return what the largest of several parts exceeds by chance in `alpha` of all draws."""
    if not nulls:
        return float("inf")
    largest = np.sort(np.max(nulls, axis=0))
    return float(largest[int(np.ceil((1 - alpha) * (DRAWS + 1))) - 1])


def _words(one: Against, low: float, off: float, is_visible: bool) -> tuple[bool, str]:
    """Say what a part shows, and whether it stops."""
    slope = f"{max(one.slope, -9.99):.2f} of the others' slope"
    if one.low > low and one.slope < HALF:
        if one.own > SEEN:
            return True, f"the others' labels are seen in their pictures, these are not ({slope})"
        return True, f"labels are seen in the pictures far less than the others' ({slope})"
    if one.off > off and one.offset > FAR:
        words = f"labels lie {one.offset:.2f} standard deviations off what the pictures show"
        if is_visible or one.beside <= np.quantile(one.null_beside, 1 - ALPHA):
            return True, words
        return False, f"{words}, but the pictures differ in more (another camera?)"
    if one.expected < low + POWER:
        return False, "too few subjects to tell"
    return False, "as the others"
