"""Losses of spectra: by hand, with flat spectra, and with their terms apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.systems.spectra.learning.losses import LOSSES


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.rand(3, 2, 2, 30), torch.rand(3, 2, 2, 30)


@pytest.mark.parametrize(
    ("name", "terms"), [("mse_pearson", ["mse", "corr"]), ("weighted_smooth", ["mse", "smooth"])]
)
def test_the_loss_is_the_sum_of_its_terms(
    name: str, terms: list[str], pair: tuple[torch.Tensor, torch.Tensor]
) -> None:
    loss = LOSSES[name]()
    found = loss.terms(*pair)
    assert list(found) == terms
    assert float(loss(*pair)) == pytest.approx(sum(float(each) for each in found.values()))


def test_mse_pearson_by_hand(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    outputs, targets = (each.numpy().astype(float).reshape(12, 30) for each in pair)
    lacking = [
        1 - np.corrcoef(one, other)[0, 1] for one, other in zip(outputs, targets, strict=True)
    ]
    expected = 2 * np.square(outputs - targets).mean() + 0.5 * np.mean(lacking)
    assert float(LOSSES["mse_pearson"](w_mse=2.0, w_corr=0.5)(*pair)) == pytest.approx(expected)


def test_weighted_smooth_by_hand() -> None:
    outputs = torch.tensor([0.0, 1.0, 3.0]).expand(1, 2, 2, 3)
    terms = LOSSES["weighted_smooth"]().terms(outputs, torch.zeros(1, 2, 2, 3))
    assert float(terms["mse"]) == pytest.approx(10 / 3)
    assert float(terms["smooth"]) == pytest.approx(0.1 * 2.5)


def test_correlation_knows_neither_scale_nor_offset(
    pair: tuple[torch.Tensor, torch.Tensor],
) -> None:
    terms = LOSSES["mse_pearson"]().terms(0.3 + 2 * pair[1], pair[1])
    assert abs(float(terms["corr"])) < 1e-6
    assert float(LOSSES["mse_pearson"]().terms(-pair[1], pair[1])["corr"]) == pytest.approx(0.4)


@pytest.mark.parametrize("flat", ["outputs", "targets", "both"])
def test_flat_spectra_give_finite_losses_and_gradients(
    flat: str, pair: tuple[torch.Tensor, torch.Tensor]
) -> None:
    outputs, targets = (each.clone() for each in pair)
    if flat != "targets":
        outputs[:] = 0.25
    if flat != "outputs":
        targets[:] = 0.0
    outputs.requires_grad_()
    terms = LOSSES["mse_pearson"]().terms(outputs, targets)
    sum(terms.values()).backward()
    assert all(bool(each.isfinite()) for each in terms.values())
    assert bool(outputs.grad.isfinite().all())
    # A flat prediction has no shape: the whole weight. A flat truth asks for none.
    assert float(terms["corr"]) == pytest.approx(0.2 if flat == "outputs" else 0.0, abs=1e-6)


def test_one_flat_truth_does_not_thin_the_others(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    outputs, targets = (each.clone() for each in pair)
    targets[0] = 0.5
    whole = LOSSES["mse_pearson"]().terms(outputs, targets)["corr"]
    rest = LOSSES["mse_pearson"]().terms(outputs[1:], targets[1:])["corr"]
    assert float(whole) == pytest.approx(float(rest))


def test_half_precision_is_lifted(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    terms = LOSSES["mse_pearson"]().terms(pair[0].bfloat16(), pair[1])
    assert all(each.dtype == torch.float32 for each in terms.values())
