"""Rules of the labels, put to Great Expectations, and its answers as checks that name the rows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from assay.contract.checks import Check
from assay.manifest.index import BROKEN, OK

if TYPE_CHECKING:
    from assay.contract.checks import Rule


def judge_expectations(rules: Sequence[Rule], table: pl.DataFrame) -> list[Check]:
    """Return a check a rule, as Great Expectations judges it.

    Its import takes 4 s CPU, which only the label gate pays.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    import great_expectations.expectations as gxe

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("manifest")
    checks = []
    for (which, subset), rows in _sets(table).items():
        mine = [rule for rule in rules if rule.rows == which]
        if not mine or not len(rows):
            continue
        asset = source.add_dataframe_asset(f"{which} {subset}")
        batch = asset.add_batch_definition_whole_dataframe("whole")
        suite = gx.ExpectationSuite(name=f"{which} {subset}")
        for rule in mine:
            suite.add_expectation(getattr(gxe, rule.expectation)(**rule.arguments))
        answer = batch.get_batch(
            {"dataframe": rows.select(pl.exclude(pl.Struct)).to_pandas()}
        ).validate(suite, result_format={"result_format": "COMPLETE"})
        checks += [
            _translate(rule, subset, result.to_json_dict(), rows)
            for rule, result in zip(mine, answer.results, strict=True)
        ]
    return checks


def _sets(table: pl.DataFrame) -> dict[tuple[str, str], pl.DataFrame]:
    """Return the rows that rules may be about, by `Rule.rows` and subset."""
    readable = table.filter(pl.col("status") != BROKEN)
    sets = {("all", ""): readable, ("kept", ""): table.filter(pl.col("status") == OK)}
    for name in readable["subset"].unique().sort():
        sets["subset", name] = readable.filter(pl.col("subset") == name)
    return sets


def _translate(rule: Rule, subset: str, result: dict[str, Any], rows: pl.DataFrame) -> Check:
    """Turn GX's answer into a check that names the rows, or what was observed of the column."""
    if result.get("exception_info", {}).get("raised_exception"):
        raise RuntimeError(f"{rule.name}: {result['exception_info']}")
    details = result["result"]
    failed = sorted(details.get("unexpected_index_list") or [])
    # Points stand in lists of numbers, descriptors in a struct: not what a person reads of a label.
    plain = rows.select(pl.exclude(pl.List, pl.Array, pl.Struct))
    named = plain[failed].to_dicts() if failed else []
    found = f"{len(failed)} of {len(rows)} rows"
    if "unexpected_index_list" not in details:
        observed = details.get("observed_value")
        said = f"{len(observed)} columns" if isinstance(observed, list) else observed
        found = f"{said} over {len(rows)} rows"
    if failed:
        column = rule.arguments.get("column", "")
        found += f", e.g. {named[0]['sample_id']} {column} {named[0].get(column)}"
    name = f"{rule.name} {subset}".strip()
    return Check(name, bool(result["success"]), rule.meaning, found, len(rows), named)
