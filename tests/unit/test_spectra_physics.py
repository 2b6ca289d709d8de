"""The scalar physics: every law to rounding, and values that a network can learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from assay.systems.spectra.optics.physics import spectra_of
from assay.systems.spectra.optics.structures import FILL, random_structures
from assay.systems.spectra.optics.symmetry import MAPS


@pytest.mark.parametrize("side", [32, 128])
def test_every_map_is_a_law_to_rounding(side: int) -> None:
    structures = random_structures(4, np.random.default_rng(0), size=side, diagonal=False)
    spectra = spectra_of(structures)
    for one in MAPS.values():
        found = spectra_of(one.structures(structures))
        np.testing.assert_allclose(found, one.spectra(spectra), atol=1e-6, err_msg=one.name)


def test_a_roll_by_less_than_half_a_period_is_no_law() -> None:
    structures = random_structures(4, np.random.default_rng(0), diagonal=False)
    spectra = spectra_of(structures)
    rolled = spectra_of(np.roll(structures, 16, axis=2))
    assert min(np.abs(rolled - one.spectra(spectra)).max() for one in MAPS.values()) > 0.01


def test_power_is_never_negative_nor_made() -> None:
    structures = random_structures(64, np.random.default_rng(1))
    structures[0], structures[1] = 0, 1
    spectra = spectra_of(structures)
    assert spectra.shape == (64, 2, 2, 301)
    assert spectra.dtype == np.float32
    assert spectra.min() >= 0
    power = spectra.sum(axis=(1, 2))
    assert power.max() <= 1 + 1e-6
    np.testing.assert_allclose(power[:2], 1, atol=1e-6)  # a plain plate scatters nothing
    assert power[2:].min() > 0.5
    np.testing.assert_allclose(spectra[:, 0, 1], spectra[:, 1, 0], atol=1e-6)


def test_a_sample_depends_on_itself_alone() -> None:
    structures = random_structures(130, np.random.default_rng(2), size=64)
    spectra = spectra_of(structures)
    np.testing.assert_array_equal(spectra, spectra_of(structures))
    np.testing.assert_allclose(spectra[-3:], spectra_of(structures[-3:]), atol=1e-6)


def test_structures_are_as_published() -> None:
    structures = random_structures(40, np.random.default_rng(4))
    assert structures.dtype == np.uint8
    assert set(np.unique(structures)) == {0, 1}
    np.testing.assert_array_equal(structures, structures.transpose(0, 2, 1))
    fill = structures.mean(axis=(1, 2))
    assert FILL[0] - 0.01 < fill.min() < fill.max() < FILL[1] + 0.01
    assert len({each.tobytes() for each in structures}) == 40
    np.testing.assert_array_equal(structures, random_structures(40, np.random.default_rng(4)))
    # Periodic: the seam between the last row and the first has as many edges as any other.
    edges = (structures != np.roll(structures, 1, axis=1)).mean(axis=(0, 2))
    assert 0.5 * edges[1:].mean() < edges[0] < 1.5 * edges[1:].mean()
    general = random_structures(4, np.random.default_rng(4), diagonal=False)
    assert (general != general.transpose(0, 2, 1)).any(axis=(1, 2)).all()


def test_spectra_can_be_learnt_from_structures() -> None:
    """Ridge on where the material lies, and on its products: R² ≥ 0.3 against the mean spectrum."""
    structures = random_structures(1200, np.random.default_rng(5), size=32)
    spectra = spectra_of(structures, bins=30).reshape(1200, -1)
    coarse = structures.reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4)).reshape(1200, -1)
    upper = np.triu_indices(64)
    features = coarse[:, upper[0]] * coarse[:, upper[1]]
    found = Ridge(3.0).fit(features[:1000], spectra[:1000]).predict(features[1000:])
    error = np.square(found - spectra[1000:]).sum()
    spread = np.square(spectra[:1000].mean(axis=0) - spectra[1000:]).sum()
    assert 1 - error / spread > 0.3
