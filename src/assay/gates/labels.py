"""The label gate: nothing untrue is trained on. What it says of images and groups; the rest is GX."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import polars as pl

from assay.contract.checks import Check, Rule
from assay.gates.expectations import judge_expectations
from assay.gates.pictures import judge_pictures
from assay.manifest.conflicts import conflicting, identical
from assay.manifest.groups import spelling
from assay.manifest.index import BROKEN, DROPPED, FILTERED, OK
from assay.manifest.storage import IMAGE, column
from assay.manifest.views import views_of

COLUMNS = ["sample_id", "item", "group", "group_id", "subset", "status", "reason"]
# Words that stand for "nobody knows": samples under one of them are not one person.
NOBODY = r"nan|none|null|unknown|anonym\w*|#?n\.?/?a\.?|test|미상|불명|익명|[?x.-]*"
PLACEHOLDER = rf"(?i)^(?:\w+:)?\s*(?:{NOBODY})\s*$"
LARGEST_SHARE = 0.2  # of the rows, in one group: no split into folds survives more


def common(
    target: str, views: Sequence[str] = (IMAGE,), covariates: Sequence[str] = ()
) -> list[Rule]:
    """Return what must hold of every manifest, whatever the system."""
    own = [column(view, name) for view in views for name in ("uri", "digest")]
    return [
        Rule("schema", "ExpectTableColumnsToMatchSet",
             {"column_set": [*COLUMNS, *own, *covariates, target], "exact_match": False},
             "the manifest has its columns"),
        Rule("sample_unique", "ExpectColumnValuesToBeUnique", {"column": "sample_id"},
             "a sample stands once"),
        *(
            Rule(column(view, "digest_present"), "ExpectColumnValuesToNotBeNull",
                 {"column": column(view, "digest")}, "every used sample was read")
            for view in views
        ),
        *(
            Rule(f"{name}_present", "ExpectColumnValuesToNotBeNull", {"column": name},
                 f"every used sample has its {name}, which a network may be fed")
            for name in covariates
        ),
        Rule("group_present", "ExpectColumnValuesToNotBeNull", {"column": "group_id"},
             "every sample has a group"),
        Rule("group_named", "ExpectColumnValuesToNotMatchRegex",
             {"column": "group", "regex": PLACEHOLDER},
             "a group has a name of its own, not `unknown` or the like"),
        Rule("label_varies", "ExpectColumnUniqueValueCountToBeBetween",
             {"column": target, "min_value": 2}, "the label takes more than one value"),
    ]  # fmt: skip


def judge_labels(
    table: pl.DataFrame,
    target: str,
    rules: Sequence[Rule],
    policy: str,
    max_broken_share: float,
    name: str,
    covariates: Sequence[str] = (),
) -> list[Check]:
    """Return the checks of a manifest.

    Args:
        table: the manifest.
        target: the label column.
        rules: the system's own rules, beside the common ones.
        policy: what ingest was told to do with conflicts.
        max_broken_share: of all rows not dropped or filtered.
        name: the data set, for the commands that mend.
        covariates: the system's.
    """
    kept = table.filter(pl.col("status") == OK)
    own = [
        _broken(table, max_broken_share, name),
        *judge_pictures(table),
        _conflicts(table, target, policy, name),
        _group_sizes(kept),
        _spellings(kept),
    ]
    asked = [
        rule
        for rule in common(target, views_of(table.columns), covariates)
        if rule.name != "label_varies" or _labelled(kept, target)
    ]
    return own + judge_expectations([*asked, *rules], table)


def _labelled(kept: pl.DataFrame, target: str) -> bool:
    """Whether any row has the label; a set may have been published without it."""
    return kept[target].null_count() < len(kept)


def label_profile(table: pl.DataFrame, target: str) -> list[dict[str, Any]]:
    """Return one row a subset: how many, how grouped, and how its label is spread."""
    label = pl.col(target).filter(pl.col("status") != BROKEN)
    return (
        table.group_by("subset")
        .agg(
            rows=pl.len(),
            used=(pl.col("status") == OK).sum(),
            groups=pl.col("group_id").filter(pl.col("status") == OK).n_unique(),
            missing=pl.col(target).null_count(),
            least=label.min(),
            lower_quarter=label.quantile(0.25, "linear"),
            median=label.median(),
            upper_quarter=label.quantile(0.75, "linear"),
            most=label.max(),
        )
        .sort("subset")
        .to_dicts()
    )


def _broken(table: pl.DataFrame, limit: float, name: str) -> Check:
    counted = table.filter(~pl.col("status").is_in([DROPPED, FILTERED]))
    broken = counted.filter(pl.col("status") == BROKEN)
    share = len(broken) / max(len(counted), 1)
    uris = [column(view, "uri") for view in views_of(table.columns)]
    rows = broken.select("sample_id", *uris, "reason").to_dicts()
    allows = math.ceil(share * 1000) / 1000  # rounded up, so that what is printed lets them pass
    return Check(
        "broken",
        share <= limit,
        f"at most {limit:.1%} broken",
        f"{len(broken)} of {len(counted)} rows ({share:.2%})",
        len(counted),
        rows,
        f"mend the files, then assay snapshot {name} <source>; or"
        f" dvc exp run -S {name}.ingest.max_broken_share={allows:g}"
        if rows
        else "",
    )


def _conflicts(table: pl.DataFrame, target: str, policy: str, name: str) -> Check:
    """Identical bytes are counted always; with several labels they stop, unless policy decided."""
    spread = pl.col("values").list.max() - pl.col("values").list.min()
    same = identical(table, target).sort(spread, descending=True, maintain_order=True)
    conflicts = conflicting(same)
    what = conflicts["differing"].explode().unique().sort().drop_nulls().to_list() or [target]
    found = f"{len(same)} groups of identical images ({same['rows'].sum()} rows), "
    found += f"{len(conflicts)} with different {', '.join(what)}"
    if len(conflicts):
        found += f", e.g. {_example(conflicts.row(0, named=True))}"
    decided = policy != "stop"
    if decided and len(conflicts):
        found += f"; policy {policy}: {conflicts['rows'].sum()} rows"
    return Check(
        "identical images",
        decided or not len(conflicts),
        f"one {target} an image",
        found,
        len(table),
        same.to_dicts(),
        f"to drop them: dvc exp run -S {name}.policy.conflict=drop; after mending the source:"
        f" assay snapshot {name} <source>"
        if len(conflicts) and not decided
        else "",
    )


def _example(conflict: dict[str, Any]) -> str:
    """Name two samples of one image: with the least and the most where numbers differ, else any."""
    both = zip(conflict["values"], conflict["samples"], strict=True)
    pairs = sorted(pair for pair in both if pair[0] is not None)
    if conflict["labels"] > 1:
        return " / ".join(f"{sample} {value:g}" for value, sample in (pairs[0], pairs[-1]))
    return " / ".join(conflict["samples"][:2])


def _group_sizes(kept: pl.DataFrame) -> Check:
    sizes = (
        kept["group_id"]
        .drop_nulls()
        .value_counts(sort=True)
        .sort("count", "group_id", descending=[True, False])
    )
    largest, name = (sizes["count"][0], sizes["group_id"][0]) if len(sizes) else (0, "none")
    found = f"{len(sizes)} groups; the largest, {name}, has {largest} of {len(kept)} rows"
    sound = largest <= max(LARGEST_SHARE * len(kept), 1)
    samples = kept.filter(pl.col("group_id") == name)["sample_id"].to_list()
    return Check(
        "group sizes",
        bool(sound),
        f"no group above {LARGEST_SHARE:.0%} of the rows",
        found,
        len(kept),
        () if sound else [{"group": name, "samples": samples}],
        "" if sound else "give each person an id of their own in the table, or leave the rows out",
    )


def _spellings(kept: pl.DataFrame) -> Check:
    """Tell which groups were joined because their ids differ by blanks or case alone."""
    spelt = kept.with_columns(plain=spelling(kept["group"]))
    several = (
        spelt.group_by("plain")
        .agg(ids=pl.col("group").unique().sort(), samples=pl.col("sample_id").sort())
        .filter(pl.col("ids").list.len() > 1)
        .sort("plain")
    )
    found = f"{len(several)} ids in several spellings"
    if len(several):
        found += ", each joined to one group, e.g. " + " / ".join(map(repr, several["ids"][0]))
    return Check("spellings", True, "told, not refused", found, len(kept), several.to_dicts())
