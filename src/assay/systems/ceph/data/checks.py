"""The label gate's checks beyond single columns: points, readers, machines; each names its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.contract.checks import Check
from assay.manifest.index import BROKEN
from assay.systems.ceph.data import agreement, anatomy, units
from assay.systems.ceph.data.anatomy import AnatomyFault
from assay.systems.ceph.data.landmarks import COUNT, SYMBOLS
from assay.systems.ceph.data.layout import READERS
from assay.systems.ceph.data.pose import lay_on_mean

if TYPE_CHECKING:
    from assay.systems.ceph.data.mean_face import Floats

# Of all points read: hamedan has 0.3 % masked for a fault.
MAX_MASKED = 0.02


def mask_outside(table: pl.DataFrame) -> pl.DataFrame:
    """Mask and name points outside their film; for a table that knows `width` and `height`."""
    extent = [
        table[side].fill_null(0).to_numpy().astype(np.float64) for side in ("width", "height")
    ]
    opened = np.asarray(extent[0] > 0)
    faults = table["point_faults"].to_list()
    masked = {}
    for reader in READERS:
        points = points_of(table, reader)
        away = anatomy.outside_film(points, *extent) & opened[:, None]
        for row, place in zip(*np.nonzero(away), strict=True):
            x, y = points[row, place]
            where = f"({x:g}, {y:g})"
            faults[row].append(f"{reader}: {SYMBOLS[place]} {where} lies outside the film")
        points[away] = np.nan
        masked[reader] = pl.Series(reader, points, dtype=pl.Array(pl.Float64, (COUNT, 2)))
    named = pl.Series("point_faults", faults, dtype=pl.List(pl.String))
    return table.with_columns(*masked.values(), named)


def with_target(table: pl.DataFrame, way: agreement.Way) -> pl.DataFrame:
    """Add the column `target`: what is learned of both readers' points."""
    senior, junior = (points_of(table, reader) for reader in READERS)
    made = agreement.target_of(senior, junior, way)
    return table.with_columns(pl.Series("target", made, dtype=pl.Array(pl.Float64, (COUNT, 2))))


def pointless(table: pl.DataFrame) -> pl.Expr:
    """Return which rows have no reader's point at all."""
    points = np.stack([points_of(table, reader) for reader in READERS])
    return pl.lit(pl.Series(np.isnan(points).all(axis=(0, 2, 3))))


def points_of(table: pl.DataFrame, reader: str) -> Floats:
    """Return a reader's points, or the target's, (n, 29, 2) px; a row without any is all NaN."""
    points = table[reader].to_numpy(writable=True).astype(np.float64)
    return np.asarray(points.reshape(len(table), COUNT, 2))


def check_labels(table: pl.DataFrame) -> list[Check]:
    """Return the checks of a manifest's readable rows."""
    rows = table.filter(pl.col("status") != BROKEN)
    if not len(rows):
        return []
    senior, junior = (points_of(rows, reader) for reader in READERS)
    machine = rows["machine"].to_list()
    spacing = rows["spacing"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    stage = rows["cvm"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    either = np.where(np.isnan(senior), junior, senior)
    return [
        _faults(rows, senior, junior),
        _never(senior, junior),
        findings_check("facing", "faces look to the right, x runs right, y down",
               _both(anatomy.wrong_way, senior, junior), rows),
        findings_check("face", "the points form a face", _both(anatomy.no_face, senior, junior), rows),
        findings_check("place", "each point lies where faces have it",
               _both(anatomy.misplaced, senior, junior), rows),
        findings_check("names", "no landmark carries another's name, over the whole set",
               _both(anatomy.exchanged, senior, junior), rows),
        _readers(senior, junior, spacing, rows),
        _target(points_of(rows, "target"), senior, junior, rows),
        findings_check("spacing", "one pixel size a machine, heads of human size",
               [*units.odd_spacing(machine, spacing),
                *units.wrong_size(either, machine, spacing)], rows),
        findings_check("cvm classes", "classes 0–5", units.shifted_stage(stage), rows),
    ]  # fmt: skip


def _both(judge: Any, senior: Floats, junior: Floats) -> list[AnatomyFault]:
    """Judge each reader's points; what both say of the same rows is said once."""
    found: dict[str, set[int]] = {}
    for points in (senior, junior):
        for finding in judge(points):
            found.setdefault(finding.reason, set()).update(finding.rows)
    return [AnatomyFault(tuple(sorted(rows)), reason) for reason, rows in found.items()]


def findings_check(
    name: str, expected: str, findings: Sequence[AnatomyFault], rows: pl.DataFrame
) -> Check:
    """Return the check that fails where there are findings, and names their rows."""
    ids = rows["sample_id"]
    said, named = [], []
    for finding in findings:
        samples = [ids[row] for row in finding.rows]
        example = f" ({len(samples)} rows, e.g. {samples[0]})" if samples else ""
        said.append(finding.reason + example)
        named += [{"sample_id": sample, "reason": finding.reason} for sample in samples]
    found = "; ".join(said) or f"so in all {len(rows)} rows"
    return Check(name, not findings, expected, found, len(rows), named)


def _faults(rows: pl.DataFrame, senior: Floats, junior: Floats) -> Check:
    """Name what is wrong with single points; they are masked, so that few do not stop."""
    faulty = rows.filter(pl.col("point_faults").list.len() > 0)
    count = int(faulty["point_faults"].list.len().sum())
    read = int(np.isfinite(senior).all(axis=2).sum() + np.isfinite(junior).all(axis=2).sum())
    share = count / max(count + read, 1)
    found = f"{count} faults on {len(faulty)} of {len(rows)} films, masked"
    if count:
        first = faulty.row(0, named=True)
        found += f", e.g. {first['sample_id']} {first['point_faults'][0]}"
    reason = pl.col("point_faults").list.join("; ")
    named = faulty.select("sample_id", reason=reason).to_dicts()
    expected = f"at most {MAX_MASKED:.0%} of the points masked"
    return Check("point faults", share <= MAX_MASKED, expected, found, len(rows), named)


def _never(senior: Floats, junior: Floats) -> Check:
    """Tell which landmarks the set does not have at all."""
    seen = np.asarray((np.isfinite(senior) | np.isfinite(junior)).all(axis=2).any(axis=0))
    absent = [symbol for symbol, there in zip(SYMBOLS, seen, strict=True) if not there]
    found = f"{COUNT - len(absent)} of {COUNT} landmarks"
    found += f"; never: {', '.join(absent)}" if absent else ""
    return Check("landmarks", bool(seen.any()), "told, not refused", found, len(senior))


def _target(targets: Floats, senior: Floats, junior: Floats, rows: pl.DataFrame) -> Check:
    """Refuse targets that the readers do not say, and tell how they were made of them."""
    findings = agreement.not_the_readers(targets, senior, junior)
    check = findings_check("target", "what the readers say, unrounded", findings, rows)
    if findings:
        return check
    way = agreement.way_of(targets, senior, junior)
    count = int(np.isfinite(targets).all(axis=2).sum())
    return replace(check, found=f"{way} of both readers: {count} points on {len(rows)} films")


def _readers(senior: Floats, junior: Floats, spacing: Floats, rows: pl.DataFrame) -> Check:
    """Tell how far the readers are apart, and refuse where a point is another's, or a reader is."""
    findings = agreement.readers_apart(senior, junior) + agreement.same_reader(senior, junior)
    check = findings_check("readers", "two readers who see the same points", findings, rows)
    apart = np.linalg.norm(senior - junior, axis=2)
    if not np.isfinite(apart).any():
        return check
    found = f"{np.nanmean(apart):.1f} px apart in the mean, {np.nanmedian(apart):.1f} in the median"
    in_mm = apart * spacing[:, None]
    if np.isfinite(in_mm).any():
        found += f", {np.nanmean(in_mm):.2f} mm in the mean"
    else:
        in_face = apart / lay_on_mean(senior).scale[:, None]
        found += f", {np.nanmean(in_face):.1f} mm of a mean face (no pixel size is known)"
    said = f"{found}; {check.found}" if findings else found
    return Check(check.name, check.passed, check.expected, said, check.checked, check.rows)
