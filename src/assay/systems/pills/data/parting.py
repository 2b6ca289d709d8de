"""Parts of pills: the platform's grouped split, after which fold 0 validates every drug that it can.

- The published validation parts are the sealed test set; refused where none of their drugs is trained.
- A drug with one session is trained on: its session goes to a fold that never validates (`folds`).
- A drug with two sessions or more has at least one in fold 0, and at least one outside.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import polars as pl

from assay.errors import AssayError
from assay.manifest.split import TEST, assign

if TYPE_CHECKING:
    from assay.sections.data import Split

VALIDATES = 0
Sessions = dict[str, frozenset[str]]  # drugs of each session


def part(rows: pl.DataFrame, target: str, how: Split) -> pl.DataFrame:
    """Return `sample_id, split, fold` of every row.

    Args:
        rows: usable rows with `sample_id, group_id, subset, codes` and the `target` column.
        target: the drug that a photograph counts for when classes are balanced.
        how: test set, folds, strata, seed.

    Raises:
        AssayError: the published test set shares no drug with the training parts.
    """
    placed = assign(rows, target, how.test, how.folds, how.n_bins, how.seed)
    whole = rows.with_columns(placed["split"], placed["fold"])
    if rows["codes"].explode().n_unique() == 1:
        print(f"  warning: one drug alone, {rows['codes'][0][0]}: dealt out at random, by session")
    if how.test == "published":
        ensure_overlap(whole)
    kept = whole.filter(pl.col("split") != TEST)
    mended = mend(kept, how.folds)
    fold = pl.DataFrame(
        {"group_id": list(mended), "mended": list(mended.values())},
        schema={"group_id": pl.String, "mended": pl.Int64},
    )
    joined = whole.join(fold, on="group_id", how="left", maintain_order="left")
    lonely = sorted(code for code, count in _counts(_sessions(kept)).items() if count == 1)
    if lonely:
        print(f"  {len(lonely)} drugs have one session, trained on alone: {', '.join(lonely[:8])}")
    is_test = pl.col("split") == TEST
    return joined.select(
        "sample_id", "split", fold=pl.when(is_test).then("fold").otherwise("mended")
    )


def ensure_overlap(rows: pl.DataFrame) -> None:
    """Refuse a published test set without any drug of the training rows; else say what is unseen."""
    is_test = pl.col("split") == TEST
    seen, tested = (
        set(rows.filter(side)["codes"].explode().drop_nulls()) for side in (~is_test, is_test)
    )
    if tested and not tested & seen:
        raise AssayError(
            "pills.split.test: published",
            f"none of the {len(tested)} drugs of the validation parts stands in the training parts",
            "drugs in both: accuracy over a closed set of drugs means nothing else",
            "dvc exp run -S pills.split.test=0.15 (a locked part of the training parts)",
        )
    share = len(tested - seen) / max(len(tested), 1)
    print(f"  test: {len(tested & seen)} drugs seen in training, unseen share {share:.1%}")


def mend(rows: pl.DataFrame, folds: int) -> dict[str, int]:
    """Return the fold of every session, with each drug in fold 0 and outside it where it can be.

    A session moved into fold 0 is paid for by one as large that fold 0 can spare.
    """
    drugs = _sessions(rows)
    fold = dict(rows.select("group_id", "fold").unique().sort("group_id").rows())
    size = Counter(rows["group_id"].to_list())
    total = _counts(drugs)
    for session, shown in drugs.items():
        if any(total[code] == 1 for code in shown):
            fold[session] = folds
    inside = _counts({each: drugs[each] for each in drugs if fold[each] == VALIDATES})
    sessions_of: dict[str, list[str]] = defaultdict(list)
    for session, shown in drugs.items():
        for code in shown:
            sessions_of[code].append(session)
    state = _State(drugs, fold, size, total, inside)
    for code in sorted(total, key=lambda each: (total[each], each)):
        if total[code] > 1 and not inside[code]:
            state.bring(sessions_of[code], folds)
        elif total[code] > 1 and inside[code] == total[code]:
            state.send(sessions_of[code], VALIDATES + 1)
    return fold


class _State:
    """Sessions on their way between fold 0 and the others."""

    def __init__(
        self, drugs: Sessions, fold: dict[str, int], size: Counter[str], total: Counter[str],
        inside: Counter[str],
    ) -> None:  # fmt: skip
        self.drugs, self.fold, self.size = drugs, fold, size
        self.total, self.inside = total, inside
        self.spare: dict[int, list[str]] = defaultdict(list)
        for session in sorted(drugs, reverse=True):
            if fold[session] == VALIDATES:
                self.spare[size[session]].append(session)

    def bring(self, sessions: list[str], folds: int) -> None:
        """Move the smallest session into fold 0 that leaves each of its drugs one outside."""
        can = [
            each for each in sessions
            if self.fold[each] < folds
            and all(self.total[code] - self.inside[code] > 1 for code in self.drugs[each])
        ]  # fmt: skip
        if not can:
            return
        chosen = min(can, key=lambda each: (self.size[each], each))
        origin = self.fold[chosen]
        self._move(chosen, VALIDATES)
        self._pay(self.size[chosen], origin)

    def send(self, sessions: list[str], target: int) -> None:
        """Move the smallest session out of fold 0."""
        self._move(min(sessions, key=lambda each: (self.size[each], each)), target)

    def _pay(self, size: int, target: int) -> None:
        pool = self.spare[size]
        for place in range(len(pool) - 1, -1, -1):
            session = pool[place]
            if self.fold[session] == VALIDATES and all(
                self.inside[code] > 1 for code in self.drugs[session]
            ):
                del pool[place]
                self._move(session, target)
                return

    def _move(self, session: str, target: int) -> None:
        step = (target == VALIDATES) - (self.fold[session] == VALIDATES)
        for code in self.drugs[session]:
            self.inside[code] += step
        self.fold[session] = target


def _sessions(rows: pl.DataFrame) -> Sessions:
    """Return the drugs of each session, in order of their names."""
    shown = rows.select("group_id", "codes").explode("codes").drop_nulls().unique()
    grouped = shown.group_by("group_id").agg("codes").sort("group_id")
    return {session: frozenset(codes) for session, codes in grouped.iter_rows()}


def _counts(drugs: Sessions) -> Counter[str]:
    """Return in how many sessions each drug stands."""
    return Counter(code for shown in drugs.values() for code in shown)
