"""Who is paired with whom: what a table of pairs and its photographs say of one another.

A photograph is one person's, one view's and one hand's. What is exchanged in table and files alike,
nothing here can see.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from assay.contract.checks import Check
from assay.manifest.groups import spelling
from assay.manifest.index import BROKEN, DROPPED
from assay.manifest.views import by_image
from assay.systems.hemoglobin.data.pairing_names import judge_names

Hand = Literal["left", "right"]
Findings = list[tuple[str, list[str]]]  # what is wrong, in words, and of which samples

HANDS: dict[str, Hand] = {"L": "left", "R": "right"}
SIDES = {first + second: (HANDS[first], HANDS[second]) for first in HANDS for second in HANDS}
SHOWN = 3  # findings in the line that is printed; the page has all


def side_of(column: str) -> pl.Expr:
    """Return LL, LR, RL or RR (of nail, then eye) of `lr`, `L-R`, `left_right`; null of other texts."""
    text = pl.col(column).str.to_lowercase()
    parts = text.str.extract_groups(r"^(left|right|l|r)[\s_/,-]*(left|right|l|r)$")
    letters = (parts.struct.field(part).str.slice(0, 1) for part in ("1", "2"))
    return pl.concat_str(letters).str.to_uppercase()


def judge_pairing(table: pl.DataFrame, name: str) -> list[Check]:
    """Return the checks of a manifest of pairs.

    Args:
        table: the manifest; what is broken or dropped is not judged, but it is listed.
        name: the data set, for the commands that mend.
    """
    known = table.with_columns(
        person=spelling(table["group"]), place=pl.format("{} (line {})", "sample_id", "line")
    ).sort("line", "sample_id")
    rows = known.filter(~pl.col("status").is_in([BROKEN, DROPPED]))
    shown = _photographs(rows)
    judged = {
        "persons": ("a photograph is one person's", _several(shown, "person")),
        "views": ("a photograph is a nail or an eye", _several(shown, "view")),
        "people": ("one Hb, one age and one gender a person", _people(rows)),
        "sides": ("left and right of a person are two photographs, and stay so",
                  [*_twice(rows), *_several(shown, "hand"), *_exchanged(shown)]),
        "file names": ("file names and rows say the same", judge_names(shown)),
    }  # fmt: skip
    mend = f"mend the table, or leave the rows out; then: assay snapshot {name} <source>"
    checks = [
        _check(f"pairs: {what}", expected, found, len(rows), mend)
        for what, (expected, found) in judged.items()
    ]
    return [*checks, _complete(known, _people_told(rows))]


def _check(name: str, expected: str, found: Findings, checked: int, mend: str) -> Check:
    said = "; ".join(reason for reason, _ in found[:SHOWN]) or f"so in all {checked} pairs"
    said += f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return Check(name, not found, expected, said, checked, _strips(found), mend if found else "")


def _strips(found: Findings) -> list[dict[str, list[str]]]:
    """Return a row of pictures a finding, with its reason below the first."""
    return [
        {"samples": samples, "texts": [reason, *[""] * (len(samples) - 1)]}
        for reason, samples in found
    ]


def _photographs(rows: pl.DataFrame) -> pl.DataFrame:
    """Return a row a photograph of a pair, with its `file` and the `hand` that it is said to be of."""
    letter = pl.when(pl.col("view") == "nail").then(pl.col("side").str.head(1))
    return by_image(rows).with_columns(
        file=pl.col("uri").str.split("/").list.tail(2).list.join("/"),
        hand=letter.otherwise(pl.col("side").str.tail(1)).replace_strict(HANDS, default=None),
    )


def _several(shown: pl.DataFrame, column: str) -> Findings:
    """Find pictures of which rows say several things, whatever files they lie in."""
    unlike = pl.col(column).n_unique().over("digest") > 1
    found: Findings = []
    whose = "'s" if column == "person" else ""
    for (_,), rows in shown.filter(unlike).group_by("digest", maintain_order=True):
        said = rows.group_by(column, maintain_order=True).agg(pl.col("file", "place").first())
        words = ", ".join(f"{value}{whose} in {place}" for value, _, place in said.rows())
        files = " = ".join(rows["file"].unique(maintain_order=True))
        found.append((f"{files} is {words}", _samples(rows)))
    return found


def _people(rows: pl.DataFrame) -> Findings:
    """Find people with several values of what a person has one of."""
    found: Findings = []
    for column in ("hb", "age", "gender"):
        unlike = rows.filter(pl.col(column).n_unique().over("person") > 1)
        for (_,), own in unlike.group_by("person", maintain_order=True):
            said = own.group_by(column, maintain_order=True).agg(pl.col("place").first())
            words = ", ".join(f"{value:g} in {place}" for value, place in said.rows())
            found.append((f"{own['group'][0]} has {column} {words}", _samples(own)))
    return found


def _twice(rows: pl.DataFrame) -> Findings:
    """Find people with a side in several rows."""
    again = rows.filter(pl.struct("person", "side").is_duplicated())
    return [
        (f"{own['group'][0]} has {side} {len(own)} times: {', '.join(own['place'])}", _samples(own))
        for (_, side), own in again.group_by("person", "side", maintain_order=True)
    ]


def _exchanged(shown: pl.DataFrame) -> Findings:
    """Find people with several photographs of one hand or eye: in one of the rows it is the other's."""
    key = ["person", "view", "hand"]
    several = shown.filter(pl.col("file").n_unique().over(key) > 1)
    found: Findings = []
    for (_, view, hand), own in several.group_by(key, maintain_order=True):
        said = own.group_by("file", maintain_order=True).agg(pl.col("place").first())
        words = ", ".join(f"{file} in {place}" for file, place in said.rows())
        found.append((f"{own['group'][0]} has {len(said)} {hand} {view}s: {words}", _samples(own)))
    return found


def _complete(table: pl.DataFrame, who: str) -> Check:
    """Tell who has fewer than four pairs, and who the people are."""
    people = table.filter(pl.col("group") != "").group_by("person", maintain_order=True)
    lacks: Findings = []
    sides = people.agg(pl.col("group").first(), pl.col("side").drop_nulls(), pl.col("sample_id"))
    for _, person, has, samples in sides.rows():
        missing = [side for side in SIDES if side not in has]
        if missing:
            lacks.append((f"{person} lacks {', '.join(missing)}", samples))
    found = f"{len(sides) - len(lacks)} of {len(sides)} people have all {len(SIDES)} pairs"
    found += "".join(f"; {reason}" for reason, _ in lacks[:SHOWN])
    found += f"; {who}"
    return Check("pairs: complete", True, "told, not refused", found, len(table), _strips(lacks))


def _people_told(rows: pl.DataFrame) -> str:
    """Say who the people are: a table filled up with one gender, or one age, is seen by it."""
    people = rows.unique("person")
    women, men = (people.filter(gender=value).height for value in (0, 1))
    known = people["age"].drop_nulls().to_list() or [float("nan")]
    return f"{women} women and {men} men, of {min(known):.3g}–{max(known):.3g} years"


def _samples(rows: pl.DataFrame) -> list[str]:
    return rows["sample_id"].unique(maintain_order=True).to_list()
