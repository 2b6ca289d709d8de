"""Maxwell's equations obey the same 32 maps; and a computation of a part survives being killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from assay.errors import AssayError
from assay.systems.spectra.data.params import Phantom
from assay.systems.spectra.data.phantom import write_set
from assay.systems.spectra.data.rcwa import Accuracy, solve_structure
from assay.systems.spectra.data.rcwa_part import MISSING, SOLVED, RcwaPart, published, solve_part
from assay.systems.spectra.learning.laws import law_faults
from assay.systems.spectra.optics.structures import random_structures
from assay.systems.spectra.optics.symmetry import MAPS

QUICK = Accuracy(orders=21, wavelengths=2)


@pytest.fixture(autouse=True)
def _installed() -> None:
    pytest.importorskip("grcwa", reason="the extra `rcwa` (grcwa, GPL-3) is not installed")


def _solved(structures: np.ndarray) -> np.ndarray:
    return np.stack([solve_structure(each, QUICK, bins=2) for each in structures])


def test_all_32_maps_are_laws_of_maxwells_equations() -> None:
    # A side that is not the sensor's: a raster with another origin would be 1–2.5 % off.
    structures = random_structures(2, np.random.default_rng(1), size=32, diagonal=False)
    assert law_faults(MAPS.values(), structures, _solved) == []
    swapped = replace(MAPS["rot180"], cells=MAPS["identity"].cells)
    (fault,) = law_faults([swapped], structures, _solved)
    assert fault.expected == "cells (3, 2, 1, 0)"


def test_power_is_kept_and_a_diagonal_structure_has_equal_greens() -> None:
    symmetric = _solved(random_structures(2, np.random.default_rng(2), size=32))
    assert symmetric.min() > 0
    assert 0.5 < symmetric.sum(axis=(1, 2)).min() < symmetric.sum(axis=(1, 2)).max() <= 1 + 1e-6
    np.testing.assert_allclose(symmetric[:, 0, 1], symmetric[:, 1, 0], atol=1e-6)
    general = _solved(random_structures(2, np.random.default_rng(2), size=32, diagonal=False))
    assert np.abs(general[:, 0, 1] - general[:, 1, 0]).max() > 0.01


def _part(folder: Path) -> RcwaPart:
    return RcwaPart(folder / "spectra_latest_0.npy", folder / "spectra_latest_valid_0.npy")


def test_a_part_is_as_published_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    structures = random_structures(3, np.random.default_rng(3), size=32)
    part = _part(tmp_path)
    assert solve_part(structures, part, QUICK) == 0
    whole = np.load(part.spectra)
    assert whole.shape == (3, 3, 301)
    assert whole.dtype == np.float32
    assert whole.max() < 0
    np.testing.assert_array_equal(whole[1], published(solve_structure(structures[1], QUICK)))
    assert (np.load(part.valid) == SOLVED).all()

    spectra, valid = np.load(part.spectra, mmap_mode="r+"), np.load(part.valid, mmap_mode="r+")
    spectra[0], spectra[2], valid[2] = -0.5, 0, MISSING  # row 0 is solved: nobody touches it again
    spectra.flush(), valid.flush()
    solve_part(structures, part, QUICK, processes=2)
    again = np.load(part.spectra)
    np.testing.assert_array_equal(again[1:], whole[1:])
    assert (again[0] == -0.5).all()


def test_solutions_of_other_structures_are_not_taken_up(tmp_path: Path) -> None:
    structures = random_structures(2, np.random.default_rng(4), size=32)
    solve_part(structures, _part(tmp_path), QUICK)
    with pytest.raises(AssayError, match="solutions of"):
        solve_part(1 - structures, _part(tmp_path), QUICK)
    with pytest.raises(AssayError, match="orders"):
        solve_part(structures, _part(tmp_path), replace(QUICK, orders=25))


def _gone(session: int) -> None:
    """Wait until no worker of the killed session is left; none may write on."""
    deadline = time.monotonic() + 20
    while any(_session(each) == session for each in psutil.pids()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _session(pid: int) -> int:
    try:
        alive = psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        return os.getsid(pid) if alive else -1
    except (ProcessLookupError, psutil.NoSuchProcess):
        return -1


@pytest.mark.kill
def test_a_killed_computation_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from assay.systems.spectra.optics.structures import random_structures\n"
        "from assay.systems.spectra.data.rcwa import Accuracy\n"
        "from assay.systems.spectra.data.rcwa_part import RcwaPart, solve_part\n"
        "if __name__ == '__main__':\n"
        "    folder = Path(sys.argv[1])\n"
        "    part = RcwaPart(folder / 'spectra_latest_0.npy', folder / 'spectra_latest_valid_0.npy')\n"
        "    structures = random_structures(6, np.random.default_rng(5), size=32)\n"
        "    solve_part(structures, part, Accuracy(21, 3))\n"
    )
    script, killed = tmp_path / "program.py", tmp_path / "killed"
    script.write_text(program)
    part = _part(killed)
    process = subprocess.Popen([sys.executable, str(script), str(killed)], start_new_session=True)
    deadline = time.monotonic() + 120
    while not (part.valid.exists() and (np.load(part.valid) == SOLVED).any()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _gone(process.pid)
    count = int((np.load(part.valid) == SOLVED).sum())
    assert 1 <= count < 6
    for folder in (killed, tmp_path / "undisturbed"):
        subprocess.run([sys.executable, str(script), str(folder)], check=True)
    undisturbed = _part(tmp_path / "undisturbed")
    assert part.spectra.read_bytes() == undisturbed.spectra.read_bytes()
    assert part.valid.read_bytes() == undisturbed.valid.read_bytes()


def test_a_phantom_by_maxwells_equations_keeps_what_was_solved(tmp_path: Path) -> None:
    """Made anew after a kill, it takes up the solutions beside it; planted faults stand as asked."""
    params = Phantom(
        samples=20, parts=1, physics="rcwa", orders=9, diagonal=True, seed=1, uncomputed=15,
        failed=1, twins=0, conflicts=0, broken=1,
    )  # fmt: skip
    for name in ("first", "again"):
        (tmp_path / name).mkdir()
        write_set(tmp_path / name, params)
        (solutions,) = tmp_path.glob("rcwa-*/spectra_latest_0.npy")
        kept = np.load(solutions, mmap_mode="r+")
        assert len(kept) == 4
        first, again = (tmp_path / each / solutions.name for each in ("first", "again"))
        if name == "first":
            kept[0, 0, 0] = -0.25  # solved: nobody touches it again
            kept.flush()
    spectra, valid = np.load(again), np.load(tmp_path / "again" / "spectra_latest_valid_0.npy")
    assert spectra[0, 0, 0] == -0.25
    np.testing.assert_array_equal(spectra[1:], np.load(first)[1:])
    assert valid.tolist() == [1] * 3 + [0] * 15 + [2] + [1]
    assert np.isnan(spectra[19]).sum() == 1
    assert not spectra[3:19].any()
