"""The check `ids`: people who may stand under two ids, which no spelling alone can decide."""

from __future__ import annotations

import polars as pl

from assay.contract.checks import Check
from assay.manifest.groups import PEOPLE, likely, spelling
from assay.manifest.index import OK
from assay.manifest.spelling import LOOKALIKES

SHOWN = 3  # in the line that is printed; the page has all


def judge_ids(table: pl.DataFrame, kind: str, policy: str, name: str) -> Check:
    """Return whether ids may be one person's: `007` and `7`, `3` and `3.0`, `P-1` and `P_1`.

    Args:
        table: the manifest.
        kind: what its groups are; ids of files and digests are not compared.
        policy: `stop`, `group` (ingest has joined them) or `keep` (they are different people).
        name: the data set, for the commands that mend.
    """
    kept = table.filter(pl.col("status") == OK)
    if kind not in PEOPLE:
        return Check("ids", True, "ids of people", f"not compared: a group is a {kind}", len(kept))
    spelt = kept.select("sample_id", "group", plain=spelling(kept["group"]))
    pairs = (
        spelt.group_by(likely=likely(spelt["plain"]))
        .agg(
            names=pl.col("plain").n_unique(),
            ids=pl.col("group").unique().sort(),
            samples=pl.col("sample_id").sort(),
        )
        .filter(pl.col("names") > 1)
        .sort("likely")
        .select("ids", "samples")
    )
    sets = [" / ".join(map(_shown, ids)) for ids in pairs["ids"].to_list()]
    what = {"stop": "", "group": ", joined", "keep": ", kept apart"}[policy]
    found = f"{len(pairs)} sets of ids that may be one person's{what}"
    if sets:
        found += f": {'; '.join(sets[:SHOWN])}{'; …' if len(sets) > SHOWN else ''}"
    stops = policy == "stop" and bool(sets)
    command = f"dvc exp run -S {name}.policy.spelling="
    mend = f"one person each: {command}group; different people: {command}keep; or mend the table"
    return Check(
        "ids",
        not stops,
        "one id a person",
        found,
        len(kept),
        pairs.to_dicts(),
        mend if stops else "",
    )


def _shown(name: str) -> str:
    """Return an id as it can be told from another: letters that look Latin by their numbers."""
    return ascii(name) if set(name.lower()) & set(LOOKALIKES) else repr(name)
