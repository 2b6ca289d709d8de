"""What drugs are called, as far as the labels at hand say it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from assay.manifest.layout import Layout


def drug_names(root: Path) -> dict[int, str]:
    """Return names by class id, from training and validation rows; of several the most frequent.

    A checkout without the table has none: models name drugs by their codes alone.
    """
    path = root / Layout("pills").trainval
    if not path.exists():
        return {}
    pills = pl.scan_parquet(path).select("classes", "names").explode("classes", "names")
    told = (
        pills.filter(pl.col("names").fill_null("") != "")
        .group_by("classes", "names")
        .len()
        .sort("classes", "len", "names", descending=[False, True, False])
        .unique("classes", keep="first", maintain_order=True)
        .collect()
    )
    return dict(told.select("classes", "names").rows())
