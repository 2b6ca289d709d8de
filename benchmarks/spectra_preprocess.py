"""Preprocess spectra: valid rows, 301 bins → 30, three channels → a Bayer cell, structures beside them.

    python benchmarks/spectra_preprocess.py [rows=40000] [rounds=3]

Two parts in the published layout, 47 % of the rows never computed. Naive: a loop over rows. Seed: masks
over whole parts, full copies of structures, targets and turned targets, as the founders' script. Assay,
kernel: the same decision and targets in blocks, and the place of each structure (`copy: none`). Assay,
ingest: `stream_parts`, which also checks every value, digests structures and their orbits and judges
laws, with `copy` none and packed. Limits: reading the bytes of spectra, of all, and copying spectra in
memory. Each way in a process of its own: wall and CPU seconds, medians of rounds in turn, peak RSS in
MiB (numpy and polars alone take about 90). Files lie in the page cache. Goals: the seed's way at
least 10 × the kernel, at most 300 MiB.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from assay.manifest.source import Source
from assay.systems.spectra.data.kernel import COMPUTED, preprocessed, reasons_of
from assay.systems.spectra.data.params import SpectraIngest
from assay.systems.spectra.data.parts import find_parts
from assay.systems.spectra.data.stream import stream_parts
from assay.systems.spectra.data.thinning import picked
from assay.systems.spectra.optics.structures import random_structures

PARTS, BINS, BLOCK, UNCOMPUTED = 2, 30, 512, 0.472


def write_parts(folder: Path, rows: int) -> None:
    """Write both parts in blocks: published structures with a few pixels changed, random spectra."""
    random = np.random.default_rng(0)
    base, each = random_structures(BLOCK, random), rows // PARTS
    for number in range(PARTS):
        paths = [
            folder / f"{kind}_{number}.npy" for kind in ("binary_dataset_128", "spectra_latest")
        ]
        with paths[0].open("wb") as structures, paths[1].open("wb") as spectra:
            for file, kind, shape in (
                (structures, "|u1", (each, 1, 128, 128)),
                (spectra, "<f4", (each, 3, 301)),
            ):
                head = {"descr": kind, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, head)
            for start in range(0, each, BLOCK):
                count = min(BLOCK, each - start)
                block, row = base[:count].copy(), np.arange(count)
                x, y = random.integers(0, 128, (2, count))
                block[row, x, y] ^= 1
                block[row, y, x] = block[row, x, y]
                structures.write(block.tobytes())
                values = -0.25 * random.random((count, 3, 301), dtype=np.float32)
                values[random.random(count) < UNCOMPUTED] = 0
                spectra.write(values.tobytes())


def files(folder: Path) -> list[tuple[Path, Path]]:
    """Return structures and spectra of each part."""
    return [
        (folder / f"binary_dataset_128_{k}.npy", folder / f"spectra_latest_{k}.npy")
        for k in range(PARTS)
    ]


def naive(folder: Path, out: Path) -> None:
    """Row by row."""
    index = np.linspace(0, 300, BINS, dtype=int)
    for number, (x_path, s_path) in enumerate(files(folder)):
        structures, spectra = np.load(x_path, mmap_mode="r"), np.load(s_path, mmap_mode="r")
        kept, targets = [], []
        for row in range(len(spectra)):
            if not np.any(spectra[row] != 0):
                continue
            red, green, blue = -spectra[row][:, index]
            targets.append(np.array([[red, green], [green, blue]], dtype=np.float32))
            kept.append(np.array(structures[row]))
        np.save(out / f"struct_{number}.npy", np.stack(kept))
        np.save(out / f"bayer_{number}.npy", np.stack(targets))


def seed(folder: Path, out: Path) -> None:
    """Mask whole parts, and write full copies with the turned targets."""
    index = np.linspace(0, 300, BINS, dtype=int)
    for number, (x_path, s_path) in enumerate(files(folder)):
        structures, spectra = np.load(x_path, mmap_mode="r"), np.load(s_path, mmap_mode="r")
        mask = np.any(spectra != 0, axis=(1, 2))
        thin = -spectra[mask][:, :, index]
        bayer = np.stack([thin[:, [0, 1]], thin[:, [1, 2]]], axis=1)
        np.save(out / f"struct_{number}.npy", structures[mask])
        np.save(out / f"bayer_{number}.npy", bayer)
        np.save(out / f"bayer_turned_{number}.npy", bayer[:, ::-1, ::-1])


def kernel(folder: Path, out: Path) -> None:
    """Decide and thin in blocks; structures stay where they are."""
    buffer = np.empty((BLOCK, 3, 301), dtype=np.float32)
    with (out / "targets.f4").open("wb") as targets, (out / "places.i8").open("wb") as places:
        for part in find_parts(Source(str(folder), folder)):
            with part.spectra.path.open("rb", buffering=0) as stream:
                stream.seek(part.spectra.start)
                for start in range(0, len(part), BLOCK):
                    block = buffer[: min(BLOCK, len(part) - start)]
                    stream.readinto(block.data)
                    codes = np.full(len(block), COMPUTED)
                    usable = reasons_of(block, codes, has_codes=False)[1]
                    cells = preprocessed(block[usable], "pick", BINS, -1)
                    targets.write(cells.data)
                    places.write((start + np.flatnonzero(usable)).data)


def ingest(copy: str) -> Callable[[Path, Path], None]:
    """Everything that ingest does with the arrays."""

    def run(folder: Path, out: Path) -> None:
        how = SpectraIngest(size=128, thin="pick", bins=BINS, copy=copy, max_broken_share=0.0)
        parts = find_parts(Source(str(folder), folder))
        with (out / "records").open("wb") as records:
            streamed = stream_parts(parts, how, lambda block: records.write(block.tobytes()))
        streamed.table.write_parquet(out / "manifest.parquet")

    return run


def read(which: slice) -> Callable[[Path, Path], None]:
    """Read files into one buffer."""

    def run(folder: Path, _: Path) -> None:
        buffer = bytearray(1 << 21)
        for pair in files(folder):
            for path in pair[which]:
                with path.open("rb", buffering=0) as stream:
                    while stream.readinto(buffer):
                        pass

    return run


def memcpy(folder: Path, _: Path) -> None:
    """Copy as many bytes as the spectra have, from memory to memory."""
    source, target = np.ones(1 << 24, dtype=np.uint8), np.empty(1 << 24, dtype=np.uint8)
    total = sum(path.stat().st_size for _, path in files(folder))
    for _ in range(total // len(source)):
        np.copyto(target, source)


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "naive: row by row": naive,
    "seed: masks, full copies": seed,
    "Assay, kernel": kernel,
    "Assay, ingest none": ingest("none"),
    "Assay, ingest packed": ingest("packed"),
    "limit: reading spectra": read(slice(1, 2)),
    "limit: reading all": read(slice(0, 2)),
    "limit: memcpy of spectra": memcpy,
}


def one(name: str, folder: Path) -> None:
    """Run one way in this process, and print what it took."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as out:
        wall, cpu = time.perf_counter(), time.process_time()
        WAYS[name](folder, Path(out))
        took = time.perf_counter() - wall, time.process_time() - cpu
    print("\n" + json.dumps([*took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def main() -> None:
    """Measure all ways in turn, and print times, ratios and memory."""
    if sys.argv[1] == "one" if len(sys.argv) > 1 else False:
        one(sys.argv[2], Path(sys.argv[3]))
        return
    asked = dict(argument.split("=") for argument in sys.argv[1:])
    rows, rounds = int(asked.get("rows", 40_000)), int(asked.get("rounds", 3))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "set"
        folder.mkdir()
        write_parts(folder, rows)
        found: dict[str, list[list[float]]] = {name: [] for name in WAYS}
        for _ in range(rounds):
            for name in WAYS:
                command = [sys.executable, __file__, "one", name, str(folder)]
                said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                found[name].append(json.loads(said.splitlines()[-1]))
    print(f"{rows:,} rows, {len(picked(BINS))} bins")
    for name, values in found.items():
        wall, cpu, memory = (statistics.median(part) for part in zip(*values, strict=True))
        pairs = list(zip(found["seed: masks, full copies"], values, strict=True))
        ratios = [statistics.median(a[i] / max(b[i], 1e-6) for a, b in pairs) for i in (0, 1)]
        print(
            f"{name:26s} wall {wall:7.2f} s  CPU {cpu:7.2f} s  {1e6 * cpu / rows:7.1f} µs a row"
            f"  peak {memory:6.0f} MiB   seed / this: wall {ratios[0]:6.2f}, CPU {ratios[1]:6.2f}"
        )
    print("goals: seed / kernel at least 10; Assay at most 300 MiB")


if __name__ == "__main__":
    main()
