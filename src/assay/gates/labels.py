"""The label gate: Great Expectations judges the manifest; nothing untrue is trained on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import polars as pl

from assay.contract import Rule
from assay.gates.verdict import Check
from assay.manifest.conflicts import identical
from assay.manifest.index import BROKEN, DROPPED, FILTERED, OK

# What must hold of every manifest, whatever the system.
COMMON = (
    Rule("sample_unique", "ExpectColumnValuesToBeUnique", {"column": "sample_id"},
         "a sample stands once"),
    Rule("group_present", "ExpectColumnValuesToNotBeNull", {"column": "group_id"},
         "every sample has a group"),
)  # fmt: skip


def judge_labels(
    table: pl.DataFrame,
    target: str,
    rules: Sequence[Rule],
    policy: str,
    max_broken_share: float,
    name: str,
) -> list[Check]:
    """Return the checks of a manifest.

    Args:
        table: the manifest.
        target: the label column.
        rules: the system's own rules, beside the common ones.
        policy: what ingest was told to do with conflicts.
        max_broken_share: of all rows not dropped or filtered.
        name: the data set, for the commands that mend.
    """
    readable = table.filter(pl.col("status") != BROKEN)
    kept = table.filter(pl.col("status") == OK)
    sets = {"all": readable, "kept": kept}
    checks = [_broken(table, max_broken_share, name), _conflicts(table, target, policy, name)]
    return checks + _expectations([*COMMON, *rules], sets)


def _broken(table: pl.DataFrame, limit: float, name: str) -> Check:
    counted = table.filter(~pl.col("status").is_in([DROPPED, FILTERED]))
    broken = counted.filter(pl.col("status") == BROKEN)
    share = len(broken) / max(len(counted), 1)
    rows = broken.select("sample_id", "uri", "reason").to_dicts()
    return Check(
        "broken",
        share <= limit,
        f"at most {limit:.1%} broken",
        f"{len(broken)} of {len(counted)} rows ({share:.1%})",
        len(counted),
        rows,
        f"mend the files, then assay snapshot {name} <source>; or"
        f" dvc exp run -S {name}.ingest.max_broken_share={share:.3f}"
        if rows
        else "",
    )


def _conflicts(table: pl.DataFrame, target: str, policy: str, name: str) -> Check:
    """Identical bytes are counted always; with several labels they stop, unless policy decided."""
    same = identical(table, target)
    conflicts = same.filter(pl.col("labels") > 1)
    found = f"{len(same)} groups of identical images ({same['rows'].sum()} rows), "
    found += f"{len(conflicts)} with different {target}"
    if len(conflicts):
        worst = conflicts.sort(
            pl.col("values").list.max() - pl.col("values").list.min(),
            descending=True,
            maintain_order=True,
        )
        first = worst.row(0, named=True)
        pairs = sorted(zip(first["values"], first["samples"], strict=True))
        example = " / ".join(f"{sample} {value:g}" for value, sample in (pairs[0], pairs[-1]))
        found += f", e.g. {example}"
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


def _expectations(rules: Sequence[Rule], sets: dict[str, pl.DataFrame]) -> list[Check]:
    """Let Great Expectations judge; its import takes 4 s, and only this stage pays it."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    import great_expectations.expectations as gxe

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("manifest")
    checks = []
    for which, rows in sets.items():
        mine = [rule for rule in rules if rule.rows == which]
        if not mine:
            continue
        batch = source.add_dataframe_asset(which).add_batch_definition_whole_dataframe(which)
        suite = gx.ExpectationSuite(name=which)
        for rule in mine:
            suite.add_expectation(getattr(gxe, rule.expectation)(**rule.arguments))
        answer = batch.get_batch({"dataframe": rows.to_pandas()}).validate(
            suite, result_format={"result_format": "COMPLETE"}
        )
        checks += [
            _translate(rule, result.to_json_dict(), rows)
            for rule, result in zip(mine, answer.results, strict=True)
        ]
    return checks


def _translate(rule: Rule, result: dict[str, Any], rows: pl.DataFrame) -> Check:
    """Turn GX's answer into a check that names the rows."""
    if result.get("exception_info", {}).get("raised_exception"):
        raise RuntimeError(f"{rule.name}: {result['exception_info']}")
    failed = sorted(result["result"].get("unexpected_index_list") or [])
    named = rows[failed].to_dicts() if failed else []
    found = f"{len(failed)} of {len(rows)} rows"
    if failed:
        column = rule.arguments.get("column", "")
        found += f", e.g. {named[0]['sample_id']} {column} {named[0].get(column)}"
    return Check(rule.name, bool(result["success"]), rule.meaning, found, len(rows), named)
