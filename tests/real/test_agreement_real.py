"""Labels of real samples, held against their pictures: what is there is seen, and what is not is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.agreement_set import CEPH, CONJUNCTIVA, PILLS, SPECTRA, judged

pytestmark = pytest.mark.real
REAL = {CONJUNCTIVA: "cp_anemic", CEPH: "hamedan_aariz", PILLS: "pushin_aihub/data",
        SPECTRA: "metasurface_rcwa"}  # fmt: skip
SAID = {
    CONJUNCTIVA: "labels hold no trace in what is looked at of pictures",
    CEPH: "labels are seen in the pictures (60 subjects, R² 0.9",
    PILLS: "",
    SPECTRA: "labels are seen in the pictures (520 subjects, R² 0.1",
}


@pytest.mark.parametrize("name", REAL)
def test_real_labels_pass(name: str, real_data: Path, tmp_path: Path) -> None:
    check = judged(name, real_data / REAL[name], tmp_path)
    assert check["passed"], check["found"]
    assert SAID[name] in check["found"]


@pytest.mark.parametrize("fault", ["R and B", "reversed", "one row off"])
def test_spectra_by_maxwell_that_are_anothers_are_stopped(
    fault: str, real_data: Path, tmp_path: Path
) -> None:
    folder, root = tmp_path / "spoilt", tmp_path / "root"
    root.mkdir()
    shutil.copytree(real_data / REAL[SPECTRA], folder, copy_function=shutil.copyfile)
    path = folder / "spectra_latest_1.npy"
    spectra, known = np.load(path), np.load(folder / "spectra_latest_valid_1.npy") == 1
    if fault == "R and B":
        spectra = spectra[:, ::-1]
    elif fault == "reversed":
        spectra = spectra[..., ::-1]
    else:
        spectra[known] = np.roll(spectra[known], 1, axis=0)
    np.save(path, spectra)
    check = judged(SPECTRA, folder, root)
    assert not check["passed"]
    assert "of the others' slope" in check["found"]
