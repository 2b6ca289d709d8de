"""The label gate's checks of masks; rows whose mask is untrue are broken already, and counted here."""

from __future__ import annotations

import numpy as np
import polars as pl

from assay.contract.checks import Check
from assay.manifest.index import BROKEN, OK
from assay.systems.pills.data.mask import read_mask


def check_masks(table: pl.DataFrame) -> list[Check]:
    """Return the checks of a manifest."""
    used = table.filter(pl.col("status") == OK)
    return [_faults(table), _identical(used), _shown(used)]


def _faults(table: pl.DataFrame) -> Check:
    """Count broken rows by what is wrong; whether they are too many, the platform's gate says."""
    broken = table.filter(pl.col("status") == BROKEN)
    parts = pl.col("reason").str.split(": ")
    own = pl.when(parts.list.first() == "mask").then(2).otherwise(1)
    kind = parts.list.head(own).list.join(": ").str.replace_all(r"\d+", "…")
    counts = broken.group_by(kind).len().sort("len", "reason", descending=[True, False]).rows()
    found = ", ".join(f"{count} × {name}" for name, count in counts) or "none"
    rows = broken.select("sample_id", "reason").to_dicts()
    return Check("mask faults", True, "told; `broken` refuses", found, len(table), rows)


def _identical(used: pl.DataFrame) -> Check:
    """No bytes stand under two masks; the platform's check knows the covered share alone."""
    same = (
        used.group_by("digest")
        .agg(pl.col("mask").n_unique(), samples=pl.col("sample_id").sort())
        .filter(pl.col("mask") > 1)
        .sort("digest")
    )
    rows = same.select("digest", "samples").to_dicts()
    found = f"{len(rows)} of {used['digest'].n_unique()} contents under several masks"
    return Check("masks of identical images", not rows, "one mask", found, len(used), rows)


def _shown(used: pl.DataFrame) -> Check:
    """Tell on how many photographs each class is, and on which share of all stored pixels."""
    names = used["classes"][0].to_list() if len(used) else []
    photographs, pixels = np.zeros(len(names), np.int64), np.zeros(len(names), np.int64)
    for content in used["mask"]:
        mask = read_mask(content)
        assert not isinstance(mask, str)  # ingest wrote it
        count = np.bincount(mask.ravel(), minlength=len(names))
        pixels += count
        photographs += count > 0
    share = pixels / max(int(pixels.sum()), 1)
    told = [
        f"{name} on {shown} ({part:.1%} of the pixels)"
        for name, shown, part in zip(names, photographs, share, strict=True)
    ]
    return Check("classes shown", True, "told", ", ".join(told) or "none", len(used))
