"""COCO labels → YOLO: Assay's export beside ultralytics' converter and the naive script.

    python benchmarks/pills_export.py [photographs, 20000]

Peer: `ultralytics.data.converter.convert_coco` (with cls91to80 off), given one COCO file made of the same
boxes, which costs it nothing here. Naive: a dict and a text file a photograph. Assay: `yolo_texts`, then
the same files written. Below, what each makes of the faults of the published set:
category_id always 1 (and 0), a box beyond the image, a photograph without a pill.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.errors import SourceError
from assay.systems.pills.data.export import yolo_texts

WIDTH, HEIGHT, DRUGS = 976, 1280, 4523


def photographs(count: int) -> pl.DataFrame:
    """Return photographs of one pill, every tenth of four."""
    random = np.random.default_rng(1)
    pills = np.where(np.arange(count) % 10 == 0, 4, 1)
    corner = random.integers(0, 500, (pills.sum(), 2))
    boxes = np.hstack([corner, random.integers(100, 400, (pills.sum(), 2))]).astype(np.float64)
    ends = np.cumsum(pills)
    return pl.DataFrame({
        "uri": [f"K-{number:06d}.png" for number in range(count)],
        "width": [WIDTH] * count, "height": [HEIGHT] * count,
        "boxes": pl.Series([boxes[end - n : end].tolist() for n, end in zip(pills, ends, strict=True)],
                           dtype=pl.List(pl.Array(pl.Float64, 4))),
        "classes": [random.integers(0, DRUGS, n).tolist() for n in pills],
    })  # fmt: skip


def coco(rows: pl.DataFrame, category: Callable[[int], int]) -> dict[str, Any]:
    """Return the rows as one COCO file."""
    images, notes = [], []
    for number, row in enumerate(rows.iter_rows(named=True)):
        images.append({"id": number, "file_name": row["uri"], "width": row["width"],
                       "height": row["height"]})  # fmt: skip
        for box, drug in zip(row["boxes"], row["classes"], strict=True):
            notes.append({"image_id": number, "bbox": list(box), "category_id": category(drug)})
    return {"images": images, "annotations": notes}


def ours(rows: pl.DataFrame, _: Path, out: Path) -> None:
    """Convert as the export does."""
    out.mkdir()
    for uri, text in zip(rows["uri"].to_list(), yolo_texts(rows, range(DRUGS)), strict=True):
        (out / f"{Path(uri).stem}.txt").write_text(text, encoding="ascii")


def peer(_: pl.DataFrame, labels: Path, out: Path) -> None:
    """Convert as ultralytics does."""
    from ultralytics.data.converter import convert_coco

    convert_coco(str(labels), str(out), cls91to80=False)


def naive(_: pl.DataFrame, labels: Path, out: Path) -> None:
    """Convert as most scripts do: one file appended to for each box."""
    out.mkdir()
    told = json.loads(next(labels.iterdir()).read_text())
    by_id = {image["id"]: image for image in told["images"]}
    for note in told["annotations"]:
        image = by_id[note["image_id"]]
        x, y, w, h = note["bbox"]
        cx, cy = (x + w / 2) / image["width"], (y + h / 2) / image["height"]
        with (out / f"{Path(image['file_name']).stem}.txt").open("a") as stream:
            stream.write(
                f"{note['category_id']} {cx} {cy} {w / image['width']} {h / image['height']}\n"
            )


WAYS = {"naive": naive, "ultralytics": peer, "Assay": ours}


def main() -> None:
    """Time all ways, then show them the faults."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as place:
        os.environ["YOLO_CONFIG_DIR"] = place
        import ultralytics.data.converter  # noqa: F401 - its import is not what is timed

        rows = photographs(count)
        folder = Path(place)
        write(folder / "coco", coco(rows, lambda drug: drug + 1))
        start = time.process_time()
        yolo_texts(rows, range(DRUGS))
        print(f"{count:,} photographs; texts alone {time.process_time() - start:.2f} s CPU")
        for name, way in WAYS.items():
            start, cpu = time.perf_counter(), time.process_time()
            way(rows, folder / "coco", folder / name)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - start
            files = sum(1 for _ in (folder / name).rglob("*.txt"))
            print(f"  {name:12s} {cpu:6.2f} s CPU, {wall:6.2f} s wall, {files:,} files")
        faults(folder)


def write(folder: Path, content: dict[str, Any]) -> None:
    """Write one COCO file into a folder of its own."""
    folder.mkdir()
    (folder / "instances_all.json").write_text(json.dumps(content))


def faults(folder: Path) -> None:
    """Show each way three photographs: a class, a box beyond the image, no pill."""
    rows = photographs(3).with_columns(
        boxes=pl.Series([[[10, 10, 50, 50]], [[900, 10, 5667, 50]], []],
                        dtype=pl.List(pl.Array(pl.Float64, 4))),
        classes=pl.Series([[7], [8], []], dtype=pl.List(pl.Int64)),
    )  # fmt: skip
    for category in (1, 0):
        write(folder / f"fault{category}", coco(rows, lambda _, told=category: told))
        for name, way in WAYS.items():
            out = folder / f"{name}{category}"
            try:
                way(rows, folder / f"fault{category}", out)
            except SourceError as refused:
                way(rows.filter(pl.col("uri") != "K-000001.png"), folder, out := Path(f"{out}b"))
                print(f"  {name}: box beyond refused ({refused.found}); without it:")
            said = {path.stem: path.read_text().strip() for path in sorted(out.rglob("*.txt"))}
            print(f"  category_id {category}, {name}: {said}")


if __name__ == "__main__":
    main()
