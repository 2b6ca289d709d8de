"""Thousands of mutated sets: no traceback, no row lost untold, no sound row spoilt, little memory.

`ASSAY_MUTATIONS` says how many over all sets; every tenth goes on through the label gate,
and every hundredth has its figures drawn.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from ruamel.yaml import YAML
from tests.mutations import IN_PLACE, KINDS, Mutation
from tests.planted.test_bad_published import PLANTS, SHEET, write_children, write_countries
from tests.project import ROOT

from assay.errors import AssayError
from assay.lookup import find_system
from assay.manifest.layout import Layout
from assay.manifest.snapshot import Snapshot, write_snapshot
from assay.manifest.table import read_table
from assay.runs.events import EventLog
from assay.sections.machine import Runtime
from assay.stages import ingest, validate
from assay.stages.launch import Stage

pytestmark = pytest.mark.mutations

SMALL: dict[str, dict[str, Any]] = {  # phantom and ingest, of each set
    "ceph": {"phantom": {"films": 6, "width": 100}, "ingest": {"size": 32}},
    "hemoglobin.conjunctiva": {
        "phantom": {"folder1": 1, "folder2": 5, "size": 16},
        "ingest": {"size": 16},
    },
    "hemoglobin.fusion": {"phantom": {"people": 4, "size": 16}, "ingest": {"size": 16}},
    "hemoglobin.nail": {"phantom": {"people": 8, "size": 16}, "ingest": {"size": 16}},
    "pills": {
        "phantom": {"classes": 2, "sessions": 1, "angles": 2, "combinations": 1, "width": 64},
        "ingest": {"size": 16},
    },
    "pills.masks": {
        "phantom": {"drugs": 2, "sessions": 2, "angles": 1, "combinations": 1, "width": 64},
        "ingest": {"size": 16},
    },
    "spectra": {
        "phantom": {"samples": 20, "parts": 2, "uncomputed": 1, "failed": 1, "twins": 1},
        "ingest": {},
    },
}  # fmt: skip
FOUND = {  # what mutations have crashed, or lost, before it was mended
    "ceph": [
        Mutation("json text", 52, 1979346392),  # nested deeper than Python goes
        Mutation("json value", 173, 685973138),  # 10**400 for a coordinate
        Mutation("json value", 48, 303479117),  # half a character
        Mutation("png", 20, 2950652430),  # a strip whose square had 10¹² pixels
    ],
    "pills": [Mutation("renamed", 150, 1623667860)],  # a photograph whose every box is left out
    "pills.masks": [
        Mutation("json text", 14, 4217987067),
        Mutation("json text", 25, 148287319),
        Mutation("json value", 48, 303479117),
    ],  # half a character
    "spectra": [Mutation("flipped", 58, 3768507738)],  # a bracket in an array's header
}
PUBLISHED: dict[
    str, Callable[[Path], object]
] = {  # layouts of their authors, in place of a phantom
    "CP-AnemiC": write_children,
    "CP-AnemiC, a workbook": lambda folder: (
        write_children(folder),
        PLANTS["sheet as a workbook"](folder),
    ),
    "Eyes-defy-anemia": write_countries,
}
TABLES = ("conj_folder1.csv", "conj_folder2.csv", "fusion_meta.csv", "nail_meta_1.csv", SHEET)
TOTAL = int(os.environ.get("ASSAY_MUTATIONS", "300"))
HANGS_S, MOST_MB = (
    60.0,
    100,
)  # a loop without end; that 2 s are enough is what the campaign measures
GATE = 10  # one in so many goes through it
DRAWN = 100  # one in so many has its figures laid out too, which is most of what the gate costs
LABELS = {
    "ceph": "cvm",
    "pills": "drug",
    "pills.masks": "covered",
}  # of sets with a label file an image


@dataclass
class Clean:
    """A small sound set, and what becomes of it."""

    name: str
    root: Path
    declared: dict[str, Any]
    layout: str = ""

    @property
    def folder(self) -> Path:
        return self.root / "clean"

    def run(self, *, gated: bool = False, drawn: bool = False) -> pl.DataFrame:
        """Ingest `set`, and judge it; return its manifest."""
        stage = Stage(
            f"ingest@{self.name}", self.name, self.root, self.declared, {}, Runtime(), "",
            EventLog(self.root / "events.jsonl"),
        )  # fmt: skip
        ingest.main(stage)
        if gated:
            with nullcontext() if drawn else patch.object(Figure, "savefig"):
                validate.main(stage)
        return read_table(self.root / Layout(self.name).manifest, "ingest")[0]

    def renew(self) -> Path:
        """Return the folder of the set as it was, to be mutated."""
        folder = self.root / "set"
        for each in (folder, self.root / ".assay", self.root / "deeper"):
            shutil.rmtree(each, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        return folder


def clean_set(name: str, root: Path, layout: str = "") -> Clean:
    content = YAML(typ="safe").load(ROOT / "params.yaml")
    holder = content
    *above, last = name.split(".")
    for part in above:
        holder = holder[part]
    system = find_system(name)
    own = {key: value for key, value in holder[last].items() if key in system.params.model_fields}
    own["source"] = "set"
    for section, changed in SMALL[name].items():
        own[section] = own[section] | changed
    holder[last] = own
    made = Clean(name, root, content, layout)
    if layout:
        PUBLISHED[layout](made.folder)
    else:
        made.folder.mkdir()
        system.phantom(made.folder, system.params.model_validate(own).phantom)
    write_snapshot(root, name, Snapshot(url="phantom"))
    return made


SETS = [(name, "") for name in SMALL] + [("hemoglobin.conjunctiva", each) for each in PUBLISHED]


@pytest.fixture(scope="module", params=SETS, ids=[layout or name for name, layout in SETS])
def clean(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Clean:
    name, layout = request.param
    return clean_set(name, tmp_path_factory.mktemp("mutations"), layout)


@pytest.fixture(autouse=True)
def working(clean: Clean, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clean.root)


def peak_mb(reset: bool = False) -> float:
    """Return the largest memory since it was last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def lines_of(folder: Path) -> int:
    """Return how many lines the tables of a set have under their headers, however spoilt."""
    found = 0
    for name in TABLES:
        places = [folder / name] if (folder / name).is_file() else sorted(folder.rglob(name))
        for path in places[:1]:
            text = path.read_bytes().decode("utf-8", "replace")
            lines = re.split(r"\r\n|\r|\n", text)
            full = [line for line in lines if line.strip(" \t,;\ufeff\x1a")]
            found += max(len(full) - 1, 0)
    return found


def check(clean: Clean, mutation: Mutation) -> None:
    """Mutate, ingest, judge; whatever is not as it must be is an assertion."""
    if clean.root not in SOUND:
        SOUND[clean.root] = sound(clean)
    before = SOUND[clean.root]
    folder = clean.renew()
    touched = mutation.apply(folder)
    rss, start = peak_mb(reset=True), time.process_time()
    table = refusal = None
    try:
        table = clean.run(gated=mutation.seed % GATE == 0, drawn=mutation.seed % DRAWN == 0)
    except AssayError as told:
        refusal = told
    spent = time.process_time() - start
    grown = peak_mb() - rss
    SPENT.append((spent, grown))
    assert spent < HANGS_S, f"{spent:.1f} s"
    assert grown < MOST_MB, f"{grown:.0f} MB"
    if table is None:
        assert refusal is not None
        assert refusal.found
    else:
        accounted(clean, mutation, touched, table, before)


def accounted(
    clean: Clean, mutation: Mutation, touched: list[str], table: pl.DataFrame, before: pl.DataFrame
) -> None:
    bad = table.filter(pl.col("status") == "broken")
    assert bad["reason"].str.len_chars().min() != 0
    assert bad["reason"].null_count() == 0
    assert table["sample_id"].is_unique().all()
    if clean.layout.startswith("CP"):
        assert len(table) >= lines_of(clean.root / "set"), "a line was lost"
    if clean.name.startswith("hemoglobin") and not clean.layout:
        assert len(table) == lines_of(clean.root / "set"), (
            "a line was lost, or one too many was made"
        )
    elif clean.name == "spectra":
        assert len(table) in {len(before), len(before) // 2} or mutation.kind == "npy"
    else:
        there = {
            uri for uri in before["uri"] if (clean.root / uri).is_file() and "deeper" not in uri
        }
        told = " ".join(table["reason"].drop_nulls())  # two files of one name have one row
        lost = {uri for uri in there - set(table["uri"]) if uri.removeprefix("set/") not in told}
        assert not lost, f"photographs without a row: {lost}"
    alone = clean.name in LABELS and mutation.kind in IN_PLACE
    if alone and touched and not touched[0].endswith("classes.json"):
        stem = Path(touched[0]).name.split(".")[0]
        # The stratum of a photograph of pills is its rarest drug: it is of all photographs.
        facts = ["sample_id", "status", *([] if clean.name == "pills" else [LABELS[clean.name]])]
        others = before.filter(~pl.col("uri").str.contains(stem, literal=True)).select(facts)
        now = table.select(facts)
        hurt = others.join(now, on=facts, how="anti", nulls_equal=True)
        assert hurt.is_empty(), f"rows that nobody touched: {hurt.rows()[:3]}"


SOUND: dict[Path, pl.DataFrame] = {}
SPENT: list[tuple[float, float]] = []  # CPU seconds and MB of each


def sound(clean: Clean) -> pl.DataFrame:
    clean.renew()
    with suppress(AssayError):  # so few rows may not pass every check
        clean.run(gated=True)
    return read_table(clean.root / Layout(clean.name).manifest, "ingest")[0]


def of(clean: Clean) -> list[str]:
    """Return the kinds for which the set has files."""
    endings = {path.suffix.lower() for path in clean.folder.rglob("*")}
    return [kind for kind, (own, _) in KINDS.items() if not own or endings & set(own)]


def test_mutations(clean: Clean) -> None:
    @settings(
        max_examples=TOTAL // len(SETS), deadline=None, database=None, derandomize=TOTAL <= 300,
        suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate, Phase.shrink],
        report_multiple_bugs=True,
    )  # fmt: skip
    @given(
        st.builds(
            Mutation, st.sampled_from(of(clean)), st.integers(0, 200), st.integers(0, 2**32 - 1)
        )
    )
    def tried(mutation: Mutation) -> None:
        check(clean, mutation)

    for found in FOUND.get(clean.layout or clean.name, []):
        tried = example(found)(tried)
    tried()
