"""Scores of spectra, against numbers by hand and by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import r2_score

from assay.systems.spectra.learning.scores import bin_errors, channels, spectra_scores


@pytest.fixture
def spectra() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 0.5, (20, 2, 2, 30)).astype(np.float32)


@pytest.fixture
def predictions(spectra: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 0.05, spectra.shape)
    return (spectra + noise).astype(np.float32)


def test_perfect_and_mean_predictions_have_the_scores_they_must(spectra: np.ndarray) -> None:
    perfect = spectra_scores(spectra, spectra)
    assert perfect["mse"] == 0
    assert perfect["r2"] == 1
    assert perfect["pearson"] == pytest.approx(1)
    mean = np.broadcast_to(spectra.mean(axis=0), spectra.shape)
    assert spectra_scores(mean, spectra)["r2"] == pytest.approx(0, abs=1e-6)
    own = spectra[:10].mean(axis=0)
    trained = spectra_scores(np.broadcast_to(own, spectra.shape), spectra, own)
    assert trained["r2"] == pytest.approx(0)


def test_r2_is_that_of_scikit_learn(predictions: np.ndarray, spectra: np.ndarray) -> None:
    true, said = (channels(each).reshape(20, -1) for each in (spectra, predictions))
    expected = r2_score(true, said, multioutput="variance_weighted")
    assert spectra_scores(predictions, spectra)["r2"] == pytest.approx(expected)


def test_the_greens_count_once_as_their_mean(spectra: np.ndarray) -> None:
    wrong = spectra.copy()
    wrong[:, 0, 1] += 0.1
    wrong[:, 1, 0] -= 0.1
    assert spectra_scores(wrong, spectra)["mse"] == pytest.approx(0, abs=1e-12)
    wrong[:, 1, 0] += 0.2
    scores = spectra_scores(wrong, spectra)
    assert scores["mse_g"] == pytest.approx(0.01, rel=1e-4)
    assert scores["mse"] == pytest.approx(0.01 / 3, rel=1e-4)
    assert scores["mse_r"] == scores["mse_b"] == 0


def test_channels_are_red_green_blue_in_rggb(spectra: np.ndarray) -> None:
    wrong = spectra.copy()
    wrong[:, 0, 0] += 0.2
    assert spectra_scores(wrong, spectra)["r2_r"] < spectra_scores(wrong, spectra)["r2_b"] == 1


def test_pearson_by_hand_and_flat_spectra(predictions: np.ndarray, spectra: np.ndarray) -> None:
    said, true = channels(predictions).reshape(-1, 30), channels(spectra).reshape(-1, 30)
    expected = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(said, true, strict=True)])
    assert spectra_scores(predictions, spectra)["pearson"] == pytest.approx(expected)
    flat = spectra.copy()
    flat[0] = 0.2  # no shape to be right about
    assert spectra_scores(flat, flat)["pearson"] == pytest.approx(1)
    assert spectra_scores(np.full_like(spectra, 0.2), spectra)["pearson"] == pytest.approx(0)
    assert np.isnan(spectra_scores(flat[:1], flat[:1])["pearson"])


def test_the_error_curve_shows_the_bin_that_is_wrong(spectra: np.ndarray) -> None:
    wrong = spectra.copy()
    wrong[:, 1, 1, 7] += 0.3
    curve = bin_errors(wrong, spectra)
    assert curve.shape == (3, 30)
    assert np.unravel_index(curve.argmax(), curve.shape) == (2, 7)
    assert curve[2, 7] == pytest.approx(0.3, rel=1e-4)
    assert np.delete(curve.ravel(), 67).max() == 0


def test_unequal_shapes_are_refused(spectra: np.ndarray) -> None:
    with pytest.raises(ValueError, match="spectra"):
        spectra_scores(spectra[:3], spectra)
