"""The 32 maps: a group, true of both sides of the law, and what they make of a set of structures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from assay.systems.spectra.learning.averaging import Averaged, equivariance_error
from assay.systems.spectra.learning.laws import law_faults, premise_faults
from assay.systems.spectra.learning.orbits import distinct_views
from assay.systems.spectra.optics.physics import spectra_of
from assay.systems.spectra.optics.structures import random_structures
from assay.systems.spectra.optics.symmetry import MAPS, NAMES, SYMMETRIES, Map


@pytest.fixture(scope="module")
def structures() -> np.ndarray:
    return random_structures(6, np.random.default_rng(3), size=64)


@pytest.fixture(scope="module")
def general() -> np.ndarray:
    return random_structures(6, np.random.default_rng(3), size=64, diagonal=False)


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    return np.arange(4 * 5).reshape(1, 2, 2, 5).astype(np.float32)


def test_the_sets_are_groups_of_the_size_in_their_names() -> None:
    assert [len(SYMMETRIES[name]) for name in NAMES] == [1, 2, 8, 32]
    for maps in SYMMETRIES.values():
        assert len(set(maps)) == len(maps)
        assert {one.after(other) for one in maps for other in maps} == set(maps)
        assert {one.inverse for one in maps} == set(maps)


def test_pipeline_and_inverse_do_to_arrays_what_they_say(
    general: np.ndarray, cells: np.ndarray
) -> None:
    for one in MAPS.values():
        np.testing.assert_array_equal(one.inverse.structures(one.structures(general)), general)
        np.testing.assert_array_equal(one.inverse.spectra(one.spectra(cells)), cells)
        for other in MAPS.values():
            both = one.after(other)
            np.testing.assert_array_equal(
                both.structures(general), one.structures(other.structures(general))
            )
            np.testing.assert_array_equal(both.spectra(cells), one.spectra(other.spectra(cells)))


def test_all_32_are_different_moves(general: np.ndarray) -> None:
    views = {np.ascontiguousarray(one.structures(general[0])).tobytes() for one in MAPS.values()}
    assert len(views) == 32


def test_torch_moves_as_numpy(general: np.ndarray, cells: np.ndarray) -> None:
    for one in MAPS.values():
        moved = one.tensors(torch.from_numpy(general))
        np.testing.assert_array_equal(moved.numpy(), one.structures(general))
        permuted = one.outputs(torch.from_numpy(cells))
        np.testing.assert_array_equal(permuted.numpy(), one.spectra(cells))


def test_the_half_turn_swaps_red_and_blue_and_both_greens(cells: np.ndarray) -> None:
    turned = MAPS["rot180"].spectra(cells)
    np.testing.assert_array_equal(turned[0, 0, 0], cells[0, 1, 1])
    np.testing.assert_array_equal(turned[0, 0, 1], cells[0, 1, 0])
    np.testing.assert_array_equal(MAPS["identity+roll-both"].spectra(cells), turned)


def test_the_gate_lets_every_true_map_pass_and_names_each_wrong_one(structures: np.ndarray) -> None:
    assert law_faults(MAPS.values(), structures) == []
    permutations = sorted({each.cells for each in MAPS.values()})
    for k, one in enumerate(MAPS.values()):
        others = [each for each in permutations if each != one.cells]
        wrong = replace(one, cells=others[k % len(others)])
        (fault,) = law_faults([wrong], structures[:1])
        assert (fault.name, fault.expected) == (one.name, f"cells {one.cells}")


def test_the_founding_mistake_is_wrong_by_a_fifth_and_more(structures: np.ndarray) -> None:
    unswapped: Map = replace(MAPS["rot180"], cells=MAPS["identity"].cells)
    (fault,) = law_faults([MAPS["transpose"], unswapped], structures)
    assert fault.name == "rot180"
    assert float(fault.found.rpartition("(")[2].removesuffix("%)")) > 20


def test_the_premises_are_judged_on_the_data(structures: np.ndarray, general: np.ndarray) -> None:
    spectra = spectra_of(structures, bins=30)
    assert premise_faults("full32", structures, spectra) == []
    others = spectra_of(general, bins=30)
    assert premise_faults("shift8", general, others) == []
    faults = premise_faults("full32", general, others)
    assert {fault.name for fault in faults} == {"diagonal symmetry", "G1 = G2"}
    assert all(fault.rows == tuple(range(6)) for fault in faults)
    negative, strong = spectra.copy(), spectra.copy()
    negative[2] *= -1
    strong[4] *= 3
    assert [f.rows for f in premise_faults("none", structures, negative)] == [(2,)]
    assert [f.rows for f in premise_faults("none", structures, strong)] == [(4,)]


def test_views_that_repeat_are_dropped(structures: np.ndarray, general: np.ndarray) -> None:
    spectra = spectra_of(structures, bins=30)
    spectra[:, 0, 1] = spectra[:, 1, 0]
    for name, count in zip(NAMES, (1, 2, 4, 16), strict=True):
        kept = distinct_views(SYMMETRIES[name], structures, spectra)
        assert (kept.sum(axis=1) == count).all()
        assert kept[:, 0].all()
    pairs = {
        (one.structures(structures[0]).tobytes(), one.spectra(spectra[0]).tobytes())
        for one, keep in zip(MAPS.values(), kept[0], strict=True)
        if keep
    }
    assert len(pairs) == 16
    every = distinct_views(SYMMETRIES["full32"], general, spectra_of(general, bins=30))
    assert every.all()
    spectra[0, 0, 1, 3] += 0.01  # equal structures, but no longer equal labels
    assert distinct_views(SYMMETRIES["full32"], structures, spectra)[0].all()


def test_an_averaged_prediction_obeys_every_map(general: np.ndarray) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 5, 4), torch.nn.SiLU(), torch.nn.Flatten(),
        torch.nn.LazyLinear(4 * 30), torch.nn.Unflatten(1, (2, 2, 30)),
    ).eval()  # fmt: skip
    inputs = torch.from_numpy(general[:, None]).float()
    maps = SYMMETRIES["full32"]
    assert equivariance_error(network, inputs, maps) > 0.01
    assert equivariance_error(Averaged(network, maps), inputs, maps) < 1e-6
    short = Averaged(network, maps[:3])  # no group: nothing is promised
    assert equivariance_error(short, inputs, maps) > 1e-3
