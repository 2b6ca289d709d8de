"""Index generated AI-Hub trees of 100,000 (and more) labels.

    python benchmarks/pills_index.py [--labels 100000] [--tree FOLDER] [--rounds 2]

Naive: `glob` for all JSON files, `json.load`, `exists` of each photograph, a list of dicts. Limit: each
label listed, opened, read and closed, nothing decoded. Assay: `build_index`. Each way in a process of its
own, the least of the rounds: wall and CPU seconds, peak memory (RSS above a bare interpreter that has
imported the same). Again: the same tree once more; grown: 2 % new labels. Files are warm for all.
Photographs are empty files: no way opens one. A tree from `--tree` stays, and grows by 2 % each round.

Goals: 5 × the naive way, a re-index 10 ×, 0.4 of the limit. Measured: 100,000 labels as the least of two
rounds; 500,000 in one, quiet, and its growth beside two jobs that took both processors.

    wall s (CPU s, MB)   100,000           500,000
    naive                4.3 (4.2, 939)    66 (51, 4,693)
    limit                0.63 (0.63)       9.7 (6.2)
    first                2.3 (2.3, 151)    12.9 (12.1, 661)
    again                0.54 (0.53, 104)  2.8 (2.8, 379)
    as photographs       1.0 (0.95, 249)   4.6 (4.7, 951)
    2 % grown            0.70 (0.70, 189)  7.7 (3.9, 652)

100,000: no goal is met (CPU: 1.8 ×, 7.9 ×, 0.27). 500,000: those of a re-index (19 ×) and of the limit
(0.51) are, that of the first pass in wall time alone (5.1 ×; CPU 4.2 ×): the naive way suffers from its
own memory there. Memory grows by 1.3 kB a label. Indexes on disk are 1.8 and 8.5 MB.
A re-index is the walk, half of it asking each label's size and time. Tried: orjson (1.7 s for the
decoding alone), polars' read_ndjson (12 s), folders opened once (0.17 s less), drugs known by the text
that says them (0.4 s less, for 60 lines), no garbage collection (nothing less), chunks read by two
processes (3.5 s more CPU at 500,000, and no less wall time beside other jobs).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from assay.systems.pills.data.annotation import FIELDS

A_DRUG = 100  # photographs of a drug
LANGUAGES = (
    ("data/train/images/single/TS_{}_single", "data/train/labels/single/TL_{}_single"),
    ("1.Training/원천데이터/TS_{}_단일", "1.Training/라벨링데이터/TL_{}_단일"),
)


def write_tree(base: Path, start: int, labels: int) -> None:
    """Write labels `start` … `labels`, one a photograph, half of the parts under Korean names."""
    told = dict.fromkeys(FIELDS, "경질캡슐제 text") | {"width": 976, "height": 1280}
    told |= {
        "chart": "황색의 결정 또는 결정성 가루가 들어 있는 상부는 갈색, 하부는 담회색의 캅셀이다."
        * 2
    }
    box = {"area": 105469, "iscrowd": 0, "bbox": [266, 546, 427, 247], "category_id": 1}
    for number in range(start, labels):
        drug, shot = divmod(number, A_DRUG)
        code = f"K-{drug:06d}"
        name = (
            f"{code}_0_2_0_{shot // 50}_{(70, 75, 90)[shot % 3]}_{shot // 3 % 18 * 20:03d}_{shot}"
        )
        images, notes = (each.format(drug // 50) for each in LANGUAGES[drug // 50 % 2])
        if shot == 0 or number == start:
            for folder in (f"{images}/{code}", f"{notes}/{code}_json"):
                (base / folder).mkdir(parents=True, exist_ok=True)
        told |= {"file_name": f"{name}.png", "imgfile": f"{name}.png", "drug_N": code,
                 "dl_mapping_code": code, "dl_idx": str(drug - 1), "dl_name": f"drug {drug}",
                 "camera_la": shot % 3, "camera_lo": shot % 18}  # fmt: skip
        content = {"images": [told], "type": "instances", "annotations": [box], "categories": []}
        (base / images / code / f"{name}.png").touch()
        path = base / notes / f"{code}_json" / f"{name}.json"
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


NAIVE = """
import glob, json
rows = []
for path in glob.glob(base + "/**/*.json", recursive=True):
    with open(path, encoding="utf-8") as stream:
        told = json.load(stream)
    image = told["images"][0]
    photo = (os.path.dirname(path).replace("_json", "").replace("labels", "images")
             .replace("라벨링데이터", "원천데이터").replace("TL_", "TS_") + "/" + image["file_name"])
    rows.append({**image, "bbox": told["annotations"][0]["bbox"], "exists": os.path.exists(photo)})
count = sum(row["exists"] for row in rows)
"""
LIMIT = """
count, folders = 0, [base]
while folders:
    with os.scandir(folders.pop()) as entries:
        for entry in entries:
            if entry.is_dir():
                folders.append(entry.path)
            elif entry.name.endswith(".json"):
                file = os.open(entry.path, os.O_RDONLY)
                os.read(file, 1 << 16)
                os.close(file)
                count += 1
"""
FRESH = """
shutil.rmtree(base + ".index", ignore_errors=True)
"""
INDEX = """
count = len(build_index(Path(base), Path(base + ".index")).labels)
"""
LISTED = """
from assay.systems.pills.data.photographs import list_photographs
count = list_photographs(build_index(Path(base), Path(base + ".index")))["fault"].is_null().sum()
"""
HEAD = """
import os, resource, shutil, time
from pathlib import Path
import polars, pyarrow.dataset, pyarrow.parquet
from assay.systems.pills.data.index import build_index
base = {base!r}
bare = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start, used = time.perf_counter(), time.process_time()
"""
TAIL = """
end, used = time.perf_counter() - start, time.process_time() - used
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(count, end, used, (peak - bare) / 1024)
"""


def measure(
    name: str, code: str, base: Path, rounds: int, before: Callable[[], object] | None = None
) -> tuple[float, float]:
    """Run a way `rounds` times, each in a process of its own; print and return the least seconds."""
    script = HEAD.format(base=str(base)) + code + TAIL
    runs = []
    for _ in range(rounds):
        if before:
            before()
        done = subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, text=True,
            env={**os.environ, "POLARS_MAX_THREADS": "1"},
        )  # fmt: skip
        runs.append([*map(float, done.stdout.split())])
    count = runs[-1][0]
    wall, cpu, memory = (min(run[column] for run in runs) for column in range(1, 4))
    print(
        f"  {name:28s} {count:9,.0f}   {wall:7.2f} s ({cpu:.2f} CPU)   +{memory:6.0f} MB",
        flush=True,
    )
    return wall, cpu


def compare(base: Path, rounds: int) -> None:
    """Measure all ways on a tree, which grows."""
    naive = measure("naive", NAIVE, base, rounds)
    limit = measure("limit", LIMIT, base, rounds)
    first = measure("Assay, first", FRESH + INDEX, base, rounds)
    again = measure("Assay, again", INDEX, base, rounds)
    measure("Assay, again, as photographs", LISTED, base, rounds)
    count = sum(1 for _ in base.rglob("*.json"))
    ends = iter(range(count, 2 * count, count // 50))

    def grow() -> None:
        start = next(ends)
        write_tree(base, start, start + count // 50)

    measure("Assay, 2 % grown", INDEX, base, rounds, grow)
    for index, kind in enumerate(("wall", "CPU")):
        print(
            f"  {kind}: naive / first {naive[index] / first[index]:.1f}, naive / again"
            f" {naive[index] / again[index]:.1f}, limit / first {limit[index] / first[index]:.2f}"
        )
    size = sum(path.stat().st_size for path in Path(f"{base}.index").iterdir())
    print(f"  index on disk {size / 1e6:.1f} MB; goals 5, 10 and 0.4")


def main() -> None:
    """Write a tree, or take one, and measure all ways on it."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--labels", type=int, default=100_000)
    asked.add_argument("--tree", type=Path, help="written before; it grows by 2 % each round")
    asked.add_argument("--rounds", type=int, default=2)
    told = asked.parse_args()
    if told.tree:
        compare(told.tree, told.rounds)
        return
    with tempfile.TemporaryDirectory() as place:
        write_tree(Path(place) / "tree", 0, told.labels)
        compare(Path(place) / "tree", told.rounds)


if __name__ == "__main__":
    main()
