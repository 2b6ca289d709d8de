"""The label gate's checks of pills; rows with an untrue label are broken already, and counted here."""

from __future__ import annotations

import polars as pl

from assay.contract.checks import Check, Rule
from assay.manifest.index import BROKEN, OK
from assay.manifest.turned import break_turned
from assay.systems.pills.data.names import COMBINATION, SINGLE, TEST, TRAIN


def rules() -> list[Rule]:
    """Return what must be true of single columns."""
    return [
        Rule("mode", "ExpectColumnValuesToBeInSet",
             {"column": "mode", "value_set": [SINGLE, COMBINATION]},
             "a photograph shows one drug or several, as its part says", rows="all"),
        Rule("published_split", "ExpectColumnValuesToBeInSet",
             {"column": "subset", "value_set": [TRAIN, TEST]},
             "a photograph stands in a training or in a validation part", rows="all"),
    ]  # fmt: skip


def break_resized(table: pl.DataFrame) -> pl.DataFrame:
    """Break rows whose photograph, as opened, has another size than its labels say.

    And rows that EXIF turns, where the size does not tell which way their boxes lie.
    """
    stated = [pl.col("labelled").list.get(side, null_on_oob=True) for side in (0, 1)]
    differs = (stated[0] != pl.col("width")) | (stated[1] != pl.col("height"))
    wrong = (pl.col("status") == OK) & differs.fill_null(value=False)
    reason = pl.format(
        "another size than its labels say: {} x {}, labelled {} x {}", "width", "height", *stated
    )
    told = table.with_columns(
        status=pl.when(wrong).then(pl.lit(BROKEN)).otherwise("status"),
        reason=pl.when(wrong).then(reason).otherwise("reason"),
    )
    lying = (pl.col("turn") > 4) & (pl.col("width") != pl.col("height"))
    return break_turned(told, "boxes", lying)


def check_labels(table: pl.DataFrame) -> list[Check]:
    """Return the checks of a manifest."""
    used = table.filter(pl.col("status") == OK)
    return [_faults(table), _boxes(used), _named(used), _identical(used), _overlap(used)]


def _faults(table: pl.DataFrame) -> Check:
    """Count broken rows by what is wrong; whether they are too many, the platform's gate says."""
    broken = table.filter(pl.col("status") == BROKEN)
    kind = pl.col("reason").str.split(": ").list.first()
    counts = broken.group_by(kind).len().sort("len", "reason", descending=[True, False]).rows()
    found = ", ".join(f"{count} × {name}" for name, count in counts) or "none"
    rows = broken.select("sample_id", "reason").to_dicts()
    return Check("label faults", True, "told; `broken` refuses", found, len(table), rows)


def _boxes(used: pl.DataFrame) -> Check:
    """Judge the boxes that would be trained on, anew, against the photographs as opened."""
    pills = used.select("sample_id", "width", "height", "boxes").explode("boxes")
    x, y, w, h = (pl.col("boxes").arr.get(place) for place in range(4))
    beyond = (x + w > pl.col("width")) | (y + h > pl.col("height"))
    wrong = pills.filter(
        (x < 0) | (y < 0) | (w <= 0) | (h <= 0) | beyond | pl.col("boxes").is_null()
    )
    found = f"{len(wrong)} of {len(pills)} boxes"
    names = wrong["sample_id"].unique().sort().to_list()
    found += f", e.g. of {names[0]}" if names else " outside their photograph, or without area"
    rows = [{"sample_id": name} for name in names]
    return Check("boxes", not names, "all inside, with an area", found, len(pills), rows)


def _named(used: pl.DataFrame) -> Check:
    """Every pill that a file name codes is labelled, and no other; lists are of one length."""
    odd = used.filter(
        (pl.col("named").list.unique().list.sort() != pl.col("codes").list.unique().list.sort())
        | (pl.col("codes").list.len() != pl.col("boxes").list.len())
        | (pl.col("codes").list.len() != pl.col("classes").list.len())
    )
    rows = odd.select("sample_id").to_dicts()
    found = f"{len(odd)} of {len(used)} photographs"
    found += f", e.g. {rows[0]['sample_id']}" if rows else " otherwise"
    return Check("codes", not rows, "labelled as the name codes", found, len(used), rows)


def _identical(used: pl.DataFrame) -> Check:
    """No bytes stand under two lists of drugs; the platform's check knows the rarest drug alone."""
    same = (
        used.with_columns(said=pl.col("codes").list.sort().list.join(" "))
        .group_by("digest")
        .agg(pl.col("said").n_unique(), samples=pl.col("sample_id").sort())
        .filter(pl.col("said") > 1)
        .sort("digest")
    )
    rows = same.select("digest", "samples").to_dicts()
    found = f"{len(rows)} of {used['digest'].n_unique()} contents under several lists of drugs"
    return Check("drugs of identical images", not rows, "one list", found, len(used), rows)


def _overlap(used: pl.DataFrame) -> Check:
    """Tell how many drugs of the validation parts stand in the training parts."""
    seen, tested = (
        set(used.filter(pl.col("subset") == subset)["codes"].explode().drop_nulls())
        for subset in (TRAIN, TEST)
    )
    unseen = sorted(tested - seen)
    share = len(unseen) / max(len(tested), 1)
    found = f"{len(seen)} drugs in training parts, {len(tested)} in validation parts,"
    found += f" {len(tested & seen)} in both; unseen share {share:.0%}"
    rows = [{"code": code} for code in unseen]
    return Check("published test", True, "told; split.test decides", found, len(tested), rows)
