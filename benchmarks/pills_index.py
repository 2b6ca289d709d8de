"""Index generated AI-Hub trees of 100,000 (and more) labels.

    python benchmarks/pills_index.py [labels, 100000] [folder for the tree, a temporary one]

Naive: `glob` for all JSON files, `json.load`, `exists` of each photograph, a list of dicts. Assay:
`build_index`, in a process of its own. Wall seconds and peak memory (RSS above a bare interpreter that
has imported the same). Re-index: the same tree again; growth: 2 % new labels, then again. Files are warm
for both (written just before). Photographs are empty files: neither way opens one.
Goals: at least 5 × the naive way, a re-index at least 10 ×. Neither is reached (CPU, 100,000 labels, on
a busy machine): 2.5 s against 5.0 (1.9 ×), and 0.6 (8 ×). The walk takes 0.54 and opening, reading and
closing 0.72, which one process cannot leave out and which alone would make 4 ×; decoding 50 fields takes
0.9. A re-index is the walk, half of it asking each label's size and time. Tried: orjson (1.7 s for the
decoding alone), polars' read_ndjson (12 s), folders opened once (0.17 s less), drugs known by the text
that says them (0.4 s less, for 60 lines).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
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
import glob, json, os
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
ASSAY = """
index = build_index(Path(base), Path(base + ".index"))
count = len(index.labels)
"""
LISTED = """
from assay.systems.pills.data.photographs import photographs
count = photographs(build_index(Path(base), Path(base + ".index")))["fault"].is_null().sum()
"""
HEAD = """
import resource, time
from pathlib import Path
import polars, pyarrow.dataset, pyarrow.parquet
from assay.systems.pills.data.index import build_index
base = {base!r}
bare = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start, cpu = time.perf_counter(), time.process_time()
"""
TAIL = """
end, cpu_end = time.perf_counter(), time.process_time()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(count, end - start, cpu_end - cpu, (peak - bare) / 1024)
"""


def measure(name: str, code: str, base: Path) -> float:
    """Run a way in a process of its own, print what it took, and return its wall seconds."""
    script = HEAD.format(base=str(base)) + code + TAIL
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True,
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
    )  # fmt: skip
    count, wall, cpu, memory = map(float, done.stdout.split())
    print(f"  {name:28s} {count:9,.0f}   {wall:7.2f} s ({cpu:.2f} CPU)   +{memory:6.0f} MB")
    return cpu


def main() -> None:
    """Write the tree, measure all ways on it."""
    labels = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as place:
        base = Path(place) / "tree"
        start = time.perf_counter()
        write_tree(base, 0, labels)
        print(f"{labels:,} labels written in {time.perf_counter() - start:.0f} s; CPU and memory:")
        naive = measure("naive", NAIVE, base)
        first = measure("Assay, first", ASSAY, base)
        again = measure("Assay, again", ASSAY, base)
        measure("Assay, again, as photographs", LISTED, base)
        write_tree(base, labels, labels + labels // 50)
        measure("Assay, 2 % grown", ASSAY, base)
        print(f"  CPU: naive / first {naive / first:.1f}, naive / again {naive / again:.1f}")
        size = sum(path.stat().st_size for path in Path(f"{base}.index").iterdir())
        print(f"  index on disk {size / 1e6:.1f} MB; goals 5 and 10")


if __name__ == "__main__":
    main()
