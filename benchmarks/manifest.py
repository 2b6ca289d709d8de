"""Keep a manifest of half a million rows, and read three of its columns.

    python benchmarks/manifest.py [rows, 500000]

Naive: CSV by pandas, all of it. Peer: CSV, pandas.read_csv with `usecols`. Assay: the file that
`manifest.table.write_table` makes, three columns by a polars scan; and the same through `read_table`,
which gives all columns and the facts. Limit: reading the Parquet file's bytes. CPU and wall seconds,
medians of rounds in turn; sizes in MB, also with the digest as 16 bytes instead of 32 hex digits.
Goals: at most 30 MB with digests, at least 40 × the naive way.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl

from assay.manifest.table import read_table, write_table

ROUNDS = 5
COLUMNS = ["group_id", "hb", "status"]


def manifest(rows: int) -> pl.DataFrame:
    """Return a manifest with the columns that ingest writes, four photographs a person."""
    random = np.random.default_rng(0)
    person, number = np.arange(rows) // 4, np.arange(rows) % 4
    code, day = random.permutation(10**7)[person], random.integers(1, 29, rows)
    names = [
        f"{who:07d}/2023-{which + 5:02d}-{date:02d}/{who:07d}_conjunctiva_{which}.jpg"
        for who, which, date in zip(code, number, day, strict=True)
    ]
    broken = random.random(rows) < 0.01
    digests = random.bytes(16 * rows).hex()
    return pl.DataFrame(
        {
            "sample_id": names,
            "uri": [f"s3://clinic-archive/hemoglobin/originals/{name}" for name in names],
            "item": np.zeros(rows, dtype=np.int32),
            "group": [f"p{who:07d}" for who in code],
            "subset": np.where(person < rows // 16, "folder1", "folder2"),
            "hb": np.round(random.normal(12, 2, rows // 4 + 1), 1)[person],
            "bytes": random.integers(40_000, 400_000, rows),
            "digest": [digests[at : at + 32] for at in range(0, len(digests), 32)],
            "format": "JPEG",
            "width": np.full(rows, 1280, dtype=np.int32),
            "height": np.full(rows, 976, dtype=np.int32),
            "status": np.where(broken, "broken", "ok"),
            "reason": np.where(broken, "damaged: image file is truncated", ""),
            "group_id": [f"p{who:07d}" for who in code],
        }
    )


def measure(ways: dict[str, Callable[[], object]]) -> dict[str, list[tuple[float, float]]]:
    """Return (CPU, wall) seconds of every round; the first warms the caches and does not count."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            cpu, wall = time.process_time(), time.perf_counter()
            way()
            if round_:
                times[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    return times


def main() -> None:
    """Write the manifest both ways, print sizes, reading times and ratios."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    table = manifest(rows)
    with tempfile.TemporaryDirectory() as place:
        csv, parquet, bare = (Path(place) / name for name in ("m.csv", "m.parquet", "b.parquet"))
        table.write_csv(csv)
        write_table(parquet, table, {"source": "benchmark"})
        write_table(bare, table.with_columns(pl.col("digest").str.decode("hex")), {})
        for name, path in (("CSV", csv), ("Assay", parquet), ("digest in 16 bytes", bare)):
            print(f"{rows:,} rows, {name}: {path.stat().st_size / 1e6:.1f} MB")
        ways: dict[str, Callable[[], object]] = {
            "naive: read_csv": lambda: pd.read_csv(csv),
            "peer: read_csv, usecols": lambda: pd.read_csv(csv, usecols=COLUMNS),
            "Assay: scan": lambda: pl.scan_parquet(parquet).select(COLUMNS).collect(),
            "Assay: read_table": lambda: read_table(parquet, "ingest"),
            "limit: the bytes": parquet.read_bytes,
        }
        times = measure(ways)
    scan = times["Assay: scan"]
    for name, values in times.items():
        cpu, wall = (statistics.median(part) for part in zip(*values, strict=True))
        pairs = list(zip(values, scan, strict=True))
        ratios = [statistics.median(a[i] / max(b[i], 1e-6) for a, b in pairs) for i in (0, 1)]
        print(
            f"{name:24s} CPU {cpu:7.4f} s  wall {wall:7.4f} s"
            f"   × scan: CPU {ratios[0]:6.2f}, wall {ratios[1]:6.2f}"
        )
    print("goals: Assay at most 30 MB; naive at least 40 × scan")


if __name__ == "__main__":
    main()
