"""Copies of one picture under other ids: stopped after the split, or joined before it, as policy says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageFilter, ImageOps
from tests.conftest import DATA, Project

PEOPLE, COPIES = 60, 8

pytestmark = pytest.mark.story


def write_set(folder: Path) -> None:
    """Write pictures of random texture; the first stand again: mirrored, cropped, as JPEG."""
    folder.mkdir()
    random = np.random.default_rng(3)
    lines = ["image_path,hb_value,patient_id"]
    for person in range(PEOPLE):
        noise = Image.fromarray(random.integers(0, 255, (24, 24, 3), dtype=np.uint8))
        picture = noise.resize((192, 192), Image.Resampling.BICUBIC)
        picture = picture.filter(ImageFilter.GaussianBlur(1))
        picture.save(folder / f"{person}.png")
        lines.append(f"{person}.png,{random.uniform(9, 15):.1f},{person}")
        if person < COPIES:
            copy = ImageOps.mirror(picture).crop((12, 8, 180, 184))
            copy.save(folder / f"again{person}.jpg", quality=70)
            lines.append(f"again{person}.jpg,{random.uniform(9, 15):.1f},again{person}")
    (folder / "conj_folder2.csv").write_text("\n".join(lines) + "\n")


def test_copies_stop_the_run_until_policy_joins_them(fresh: Project, tmp_path: Path) -> None:
    write_set(tmp_path / "set")
    fresh.set(**{f"{DATA}.source": str(tmp_path / "set"), f"{DATA}.similar.n_neighbors": 5})
    said = fresh.dvc("repro", f"leakage@{DATA}", fails=True)
    assert f"{COPIES} pairs among {PEOPLE + COPIES} images" in said
    assert "STOP  similar images" in said
    verdict = fresh.json(f"reports/{DATA}/leakage.json")
    assert not verdict["passed"]
    assert (fresh.folder / f"reports/{DATA}/leakage.html").stat().st_size > 10_000

    fresh.set(**{f"{DATA}.policy.similar": "group"})
    said = fresh.dvc("repro", f"leakage@{DATA}")
    assert f"{PEOPLE + COPIES} groups, {PEOPLE} after joining near-identical images" in said
    splits = pl.read_parquet(fresh.folder / f"data/{DATA}/splits.parquet")
    place = {row["sample_id"]: (row["split"], row["fold"]) for row in splits.to_dicts()}
    for person in range(COPIES):
        assert place[f"f2:{person}.png"] == place[f"f2:again{person}.jpg"]

    fresh.set(**{f"{DATA}.policy.similar": "stop", f"{DATA}.similar.search": "none"})
    said = fresh.run("dvc", "repro", f"leakage@{DATA}")
    assert "similar images: NOT LOOKED FOR (similar.search: none)" in said
    assert "NOT LOOKED FOR" in (fresh.folder / f"reports/{DATA}/leakage.html").read_text()
    verdict = fresh.json(f"reports/{DATA}/leakage.json")
    assert verdict["passed"]
    found = {check["name"]: check["found"] for check in verdict["checks"]}
    assert found["similar groups"] == "NOT LOOKED FOR"
