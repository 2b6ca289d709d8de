"""The agreement of pictures and labels: how often it stops sound sets, and finds labels of another's.

    python benchmarks/agreement.py [draws=200] [systems=hemoglobin,ceph,…] [real=../shared/data]

Of each system one large set is made, and 200 smaller ones are drawn from it: subjects, dealt to two parts
at random. A sound draw is judged as it is; into each of 50 others a fault is planted.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import beta

from assay.contract.system_capabilities import SupportsAgreement, SupportsStreaming
from assay.contract.traces import Traces
from assay.gates.agreement import judge_traces
from assay.gates.colour_traces import colour_traces
from assay.lookup import find_system
from assay.manifest.arrays_made import made_records
from assay.manifest.groups import join_groups, spelling
from assay.manifest.index import OK, index_images
from assay.manifest.kept import KeptFiles
from assay.manifest.listing import deduplicate
from assay.manifest.source import Source
from assay.manifest.storage import read_storage
from assay.manifest.store import ImageStore
from assay.params import read_params
from assay.systems.pills.data.mask import read_mask, to_png

ROOT = Path(__file__).parents[1]
Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
# system → changes of the phantom's parameters, subjects a draw
SETS: dict[str, tuple[dict[str, int], int]] = {
    "hemoglobin.conjunctiva": ({"folder1": 0, "folder2": 900}, 300),
    "hemoglobin.nail": ({"people": 600}, 200),
    "ceph": ({"films": 500, "width": 150}, 160),
    "pills": ({"classes": 12, "sessions": 18, "angles": 2, "combinations": 8}, 120),
    "pills.masks": ({"drugs": 12, "sessions": 18, "angles": 2, "combinations": 8}, 120),
    "spectra": ({"samples": 2000, "twins": 0, "uncomputed": 0, "failed": 0}, 600),
}
SIZES = {"hemoglobin.nail": 64, "ceph": 128, "pills": 64, "pills.masks": 64, "spectra": 128}


class Set:
    """A whole set: its usable rows, its traces, and those of planted faults as they are asked for."""

    def __init__(self, name: str, folder: Path, source: str = "") -> None:
        self.system, self.name = find_system(name), name
        params = find_params(name)
        made = folder / "set"
        if not source:
            made.mkdir(parents=True)
            changed = params.phantom.model_copy(update=SETS[name][0])
            self.system.phantom(made, changed)
        how = params.ingest.model_copy(update={"size": SIZES.get(name, 64)})
        self.table, self.stored = ingested(self.system, source or str(made), folder, how)
        self.table = self.table.filter(pl.col("status") == OK)
        self._traces: dict[str, Traces] = {}

    def traces(
        self, change: Callable[[pl.DataFrame], pl.DataFrame] | None = None, key: str = ""
    ) -> Traces:
        if key not in self._traces:
            table = change(self.table) if change else self.table
            seen = (
                self.system.traces(table, self.stored)
                if isinstance(self.system, SupportsAgreement)
                else colour_traces(table, self.system, self.stored)
            )
            self._traces[key] = seen
        return self._traces[key]


def find_params(name: str) -> Any:
    """Return the section of a system in `params.yaml`."""
    section: Any = read_params(ROOT / "params.yaml")
    for key in name.split("."):
        section = section[key]
    known = find_system(name).params.model_fields
    return find_system(name).params.model_validate({k: v for k, v in section.items() if k in known})


def ingested(system: Any, base: str, root: Path, how: Any) -> tuple[pl.DataFrame, Any]:
    """Return the manifest of a source, and what is kept beside it, as the stage makes them."""
    source = Source(base, root)
    listing = system.read(source)
    facts: dict[str, Any] = {
        "images": "images",
        "size": how.size,
        "fit": system.fit,
        "base": source.base,
    }
    if isinstance(system, SupportsStreaming):
        found = made_records(
            root / "images", source, listing.files(system.views),
            lambda write: system.stream(source, how, write),
        )  # fmt: skip
        table = found.table.with_columns(group_id=pl.col("group"))
        return table, KeptFiles(root, read_storage({**found.facts, **facts}, system.name))
    rows = listing.table
    if hasattr(system, "chosen"):
        rows = system.chosen(rows, how)
    store = ImageStore(root / "images", how.size)
    table = index_images(
        deduplicate(rows).sort("sample_id"), source, store, how.size, "pillow", system.fit
    )
    table = table.with_columns(join_groups(spelling(table["group"]), table["digest"]))
    return system.masked(table, how), KeptFiles(root, read_storage(facts, system.name))


def drawn(whole: Set, traces: Traces, random: Any, count: int, sick: bool = False) -> Any:
    """Return table and traces of subjects drawn and dealt to parts a and b; of the sick, b is low."""
    groups = whole.table["group_id"].unique().sort().to_numpy()
    chosen = random.permutation(groups)[:count]
    part = np.array(["a", "b"])[np.arange(len(chosen)) % 2]
    if sick:
        told = (
            whole.table.group_by("group_id")
            .agg(pl.col(whole.system.target).mean())
            .sort("group_id")
        )
        low = told.sort(whole.system.target)["group_id"].to_numpy()[: len(told) * 2 // 5]
        chosen = np.r_[
            random.permutation(groups)[: count // 2], random.permutation(low)[: count // 2]
        ]
        part = np.repeat(["a", "b"], count // 2)
        chosen, first = np.unique(chosen, return_index=True)
        part = part[first]
    dealt = pl.DataFrame({"group_id": chosen, "subset": part})
    table = whole.table.drop("subset").with_row_index("old")
    table = table.join(dealt, on="group_id", how="inner", maintain_order="left")
    old = table["old"].to_numpy()
    copies = len(traces.rows) // len(whole.table)
    lines = np.concatenate([old + copy * len(whole.table) for copy in range(copies)])
    rows = np.tile(np.arange(len(old)), copies)
    return table, Traces(traces.pictures[lines], traces.labels[lines], rows)


def planted(table: pl.DataFrame, traces: Traces, fault: str, random: Any) -> Traces:
    """Return traces with a fault in the labels of part b, or `everywhere`."""
    copies = len(traces.rows) // len(table)
    labels = traces.labels.reshape(copies, len(table), -1).copy()
    here = np.flatnonzero(table["subset"].to_numpy() == "b")
    if fault.endswith("everywhere"):
        here = np.arange(len(table))
    if fault.startswith("shuffled"):
        labels[:, here] = labels[:, random.permutation(here)]
    elif fault.startswith("next"):
        labels[:, here] = labels[:, np.roll(here, 1)]
    elif fault.startswith("+1.5"):
        labels[:, here] += 1.5
    elif fault.startswith("R and B"):
        labels[:, here] = labels[::-1][:, here]
    elif fault.startswith("reversed"):
        banded = labels[:, here].reshape(copies, len(here), 3, -1)
        labels[:, here] = banded[..., ::-1].reshape(copies, len(here), -1)
    elif fault.startswith("mirrored"):
        labels[:, here, 0::2] = 1 - labels[:, here, 0::2]
    return Traces(traces.pictures, labels.reshape(traces.labels.shape), traces.rows)


def moved(table: pl.DataFrame) -> pl.DataFrame:
    """Return rows whose boxes or masks lie 6 % of the photograph's width to the right."""
    if "boxes" in table.columns:
        boxes = [
            [[min(x + 0.06 * width, width - w), y, w, h] for x, y, w, h in each]
            for each, width in table.select("boxes", "width").rows()
        ]
        return table.with_columns(pl.Series("boxes", boxes))
    masks = [to_png(np.roll(read_mask(mask), 4, axis=1)) for mask in table["mask"]]
    return table.with_columns(pl.Series("mask", masks, dtype=pl.Binary))


def other_camera(pixels: Any) -> Any:
    """Return images as a warmer, darker camera with another gamma stores them."""
    shown = (pixels / 255.0) ** 1.1 * np.array([0.95, 0.85, 0.78])
    return np.rint(shown * 255).astype(np.uint8)


class Elsewhere:
    """What is kept, taken with another camera."""

    def __init__(self, stored: Any) -> None:
        self._stored = stored

    def images(self, digests: Any) -> Any:
        return other_camera(self._stored.images(digests))


ANY = ("shuffled", "next", "shuffled everywhere", "next everywhere")
FAULTS = {
    "hemoglobin": (*ANY, "+1.5", "camera", "sicker", "sicker +1.5", "camera +1.5"),
    "ceph": (*ANY, "mirrored"),
    "pills": (*ANY, "moved"),
    "spectra": (*ANY, "R and B", "reversed", "R and B everywhere"),
}
SOUND = ("sound", "camera", "sicker")


def stopped(whole: Set, fault: str, seed: int, count: int) -> tuple[bool, str]:
    """Judge one draw."""
    random = np.random.default_rng(seed)
    traces = whole.traces()
    table, mine = drawn(whole, traces, random, count, sick=fault.startswith("sicker"))
    if fault == "moved":
        labels = drawn(whole, whole.traces(moved, fault), np.random.default_rng(seed), count)[
            1
        ].labels
        here = (table["subset"] == "b").to_numpy()
        mine = Traces(mine.pictures, np.where(here[:, None], labels, mine.labels), mine.rows)
    if fault.startswith("camera"):
        seen = colour_traces(table, whole.system, Elsewhere(whole.stored)).pictures
        here = (table["subset"] == "b").to_numpy()
        mine = Traces(np.where(here[:, None], seen, mine.pictures), mine.labels, mine.rows)
    what = fault.removeprefix("sicker ").removeprefix("camera ")
    mine = planted(table, mine, what, random)
    check = judge_traces(mine, table, ["subset"], whole.system, "stop").check
    return not check.passed, check.found


def interval(hits: int, draws: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate (Clopper and Pearson)."""
    low = beta.ppf(0.025, hits, draws - hits + 1) if hits else 0.0
    return float(low), float(beta.ppf(0.975, hits + 1, draws - hits)) if hits < draws else 1.0


def main() -> None:
    """Print a line a system and fault: stopped, of how many, the 95 % interval, seconds each."""
    told = dict(word.split("=", 1) for word in sys.argv[1:])
    draws, powers = int(told.get("draws", 200)), int(told.get("powers", 50))
    for name in told.get("systems", ",".join(SETS)).split(","):
        with tempfile.TemporaryDirectory() as folder:
            source = told.get("source", "")
            whole = Set(name, Path(folder), source)
            count = int(
                told.get("subjects", min(SETS[name][1], whole.table["group_id"].n_unique()))
            )
            print(
                f"{name} {source}: {count} of {whole.table['group_id'].n_unique()} subjects",
                flush=True,
            )
            wanted = (
                told["faults"].split(",")
                if "faults" in told
                else ["sound", *FAULTS[name.split(".")[0]]]
            )
            for fault in wanted:
                begun, tries = time.time(), draws if fault == "sound" else powers
                found = [stopped(whole, fault, seed, count) for seed in range(tries)]
                hits = sum(hit for hit, _ in found)
                low, high = interval(hits, tries)
                each = (time.time() - begun) / tries
                rate = f"{hits / tries:.2f} [{low:.3f}, {high:.3f}] {each:.2f} s"
                print(f"  {fault:24} {hits:3}/{tries} {rate}", flush=True)
                print(
                    "     ",
                    next((text for hit, text in found if hit == (fault in SOUND)), found[0][1])[
                        :230
                    ],
                )


if __name__ == "__main__":
    main()
