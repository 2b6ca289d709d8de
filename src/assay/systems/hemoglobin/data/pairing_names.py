"""What the names of paired photographs say: whose, of what, and of which hand.

Only words count, of the file and its folder (`left_nail/12.jpeg`), and only where a name says one thing.
"""

from __future__ import annotations

import polars as pl

START, END = "(?:^|[^a-z])", "(?:[^a-z]|$)"  # of a word: no nail is in `thumbnails`
HAND = f"{START}(left|right){END}"
VIEWS = {
    "nail": f"{START}(?:nails?|fingers?|fingernails?){END}",
    "conjunctiva": f"{START}(?:eyes?|conj|conjunctivas?){END}",
}
USUAL = 0.8  # of the files: so many carry their person's id, where names tell it


def judge_names(shown: pl.DataFrame) -> list[tuple[str, list[str]]]:
    """Return what names say otherwise than rows, and the samples.

    Args:
        shown: a row a photograph of a pair: `file, view, hand, person, group, place, sample_id`.
    """
    name = pl.col("file").str.to_lowercase()
    hands = (
        name.str.extract_all(HAND).list.eval(pl.element().str.extract("(left|right)")).list.unique()
    )
    said = shown.with_columns(
        says_hand=pl.when(hands.list.len() == 1).then(hands.list.first()),
        says_view=_only(name, VIEWS),
        says_person=_person(shown),
    )
    found = []
    for column, word in (("view", "a"), ("hand", "the"), ("person", "a photograph of")):
        unlike = said.filter(pl.col(f"says_{column}") != pl.col(column))
        for (file,), rows in unlike.group_by("file", maintain_order=True):
            row = rows.row(0, named=True)
            its = row["group"] if column == "person" else row[column]
            text = f"{file} is named {row[f'says_{column}']}, {row['place']} has it as {word} {its}"
            found.append((text, rows["sample_id"].unique(maintain_order=True).to_list()))
    return found


def _only(name: pl.Expr, words: dict[str, str]) -> pl.Expr:
    """Return the one key whose words a name has; null where it has none's or several's."""
    has = {key: name.str.contains(pattern) for key, pattern in words.items()}
    one = pl.sum_horizontal(has.values()) == 1
    return pl.coalesce(pl.when(one & there).then(pl.lit(key)) for key, there in has.items())


def _person(shown: pl.DataFrame) -> pl.Series:
    """Return whose id a file's own name carries; null where it is nobody's, or names tell no ids."""
    words = shown.select("person", _words("file").alias("words")).with_columns(
        own=_plain(pl.col("person"))
    )
    ids = dict(zip(words["own"], words["person"], strict=True))
    told = [
        None if own in parts else next((ids[part] for part in parts if part in ids), None)
        for own, parts in words.select("own", "words").rows()
    ]
    carries = words.select(pl.col("words").list.contains(pl.col("own")).mean()).item()
    usual = carries is not None and carries >= USUAL
    return pl.Series("says_person", told if usual else [None] * len(shown), dtype=pl.String)


def _words(column: str) -> pl.Expr:
    stem = pl.col(column).str.split("/").list.last().str.replace(r"\.[^.]*$", "")
    return stem.str.to_lowercase().str.extract_all(r"[\p{L}\p{N}]+").list.eval(_plain(pl.element()))


def _plain(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().str.replace(r"^0+(\d)", "$1")
