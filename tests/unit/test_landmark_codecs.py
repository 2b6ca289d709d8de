"""Codecs against blobs whose middle is known: decoders, offsets, uncertainty."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from assay.learning.determinism import set_determinism
from assay.learning.vision import decoding
from assay.learning.vision.codecs import Coordinates, Heatmap

pytestmark = pytest.mark.numeric

SIZE, STRIDE = 256, 4
SIGMAS = [1.5, 2.0, 3.0, 4.0]
ABSENT = [math.nan, math.nan]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    set_determinism(1)


def whole_blobs(codec: Heatmap, seed: int = 0) -> Tensor:
    """Return points (20, 20, 2) at least four sigma from the map's edge, anywhere within a pixel."""
    margin = 4 * codec.sigma
    shares = np.random.default_rng(seed).uniform(0, 1, (20, 20, 2))
    pixels = shares * (codec.side - 1 - 2 * margin) + margin
    return torch.from_numpy(((pixels + 0.5) * codec.stride - 0.5).astype(np.float32))


def said(codec: Heatmap, points: Tensor) -> Tensor:
    """Return what a perfect network says."""
    targets = codec.encode(points).targets
    return (targets + 1e-12).log() if codec.logits else targets


def error(codec: Heatmap, outputs: Tensor, points: Tensor) -> Tensor:
    """Return the distances in heatmap px."""
    return (codec.decode(outputs) - points).norm(dim=2) / codec.stride


# Decoders


@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize(
    ("decoder", "low", "high"),
    [("argmax", 0.35, 0.41), ("soft", 0, 0.01), ("dark", 0, 0.001), ("offset", 0, 0.001)],
)
def test_a_blob_is_read_where_it_was_put(
    decoder: Any, low: float, high: float, sigma: float, logits: bool
) -> None:
    codec = Heatmap(SIZE, STRIDE, sigma, decoder, logits)
    points = whole_blobs(codec)
    outputs = said(codec, points)
    if decoder == "offset" and logits:
        outputs[:, 20:] = codec.encode(points).targets[:, 20:]
    assert low <= error(codec, outputs, points).mean() < high


@pytest.mark.parametrize("sigma", SIGMAS)
def test_noise_of_two_percent_leaves_dark_within_a_twentieth(sigma: float) -> None:
    codec = Heatmap(SIZE, STRIDE, sigma)
    points = whole_blobs(codec)
    noise = torch.randn(20, 20, 64, 64, generator=torch.Generator().manual_seed(1))
    assert error(codec, said(codec, points) + 0.02 * noise, points).mean() < 0.05


def test_dark_reads_what_bf16_leaves() -> None:
    codec = Heatmap(SIZE, STRIDE)
    points = whole_blobs(codec)
    assert error(codec, said(codec, points).bfloat16(), points).mean() < 0.005


def test_a_background_draws_the_whole_maps_centre_of_mass_away_but_not_the_windows() -> None:
    """What the window of `soft` is for: 1 % of background puts the whole map's 5 px off and more."""
    codec = Heatmap(SIZE, STRIDE, 2.0, "soft")
    points = whole_blobs(codec)
    maps = said(codec, points) + 0.01
    mass = maps / maps.sum(dim=(2, 3), keepdim=True)
    pixels = torch.arange(64.0)
    whole = torch.stack([mass.sum(2) @ pixels, mass.sum(3) @ pixels], -1)
    assert ((whole + 0.5) * STRIDE - 0.5 - points).norm(dim=2).mean() / STRIDE > 5
    assert error(codec, maps, points).mean() < 0.05


def test_dark_reads_a_blob_that_is_long_and_tilted() -> None:
    """A point on an edge is known across it better than along it."""
    middles = 32 + torch.rand(50, 1, 2, generator=torch.Generator().manual_seed(4))
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    u, v = x - middles[..., :1, None], y - middles[..., 1:, None]
    maps = torch.exp(-((u + v).square() / 4**2 + (u - v).square() / 2**2) / 4)
    assert (decoding.dark(maps, 2.0) - middles).norm(dim=2).max() < 0.02


def test_dark_does_not_step_into_a_hollow() -> None:
    """A map that grows ever steeper towards a corner is curved the other way; the corner stands."""
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    bowl = torch.exp(0.05 * (x.square() + y.square()) - 20)
    assert decoding.dark(bowl[None, None], 0.3).tolist() == [[[15, 15]]]


def test_dark_leaves_the_highest_pixel_where_there_is_no_summit() -> None:
    ramp = torch.arange(16.0).expand(16, 16)
    flat = torch.ones(16, 16)
    spike = torch.zeros(16, 16)
    spike[0, 0] = 1
    found = decoding.dark(torch.stack([ramp, flat, spike])[None], 2.0)[0]
    assert found.isfinite().all()
    assert (found[0, 0] - 15).abs() < 4
    assert (found[2] - 0).abs().max() <= 1.5


@given(
    st.sampled_from([(128, 2), (128, 4), (192, 4), (256, 8)]),
    st.sampled_from(["soft", "dark", "offset"]),
    st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_decode_undoes_encode_at_every_size_and_stride(
    frame: tuple[int, int], decoder: Any, seed: int
) -> None:
    """Half a pixel lost between stored px and heatmap px would show as 0.5·(stride − 1)."""
    codec = Heatmap(*frame, sigma=1.5, decoder=decoder)
    points = whole_blobs(codec, seed)
    apart = codec.decode(codec.encode(points).targets) - points
    assert apart.abs().max() < 0.01 * codec.stride


@pytest.mark.parametrize("low", [-1, 0])
def test_coordinates_are_shares_of_the_frame(low: Any) -> None:
    codec = Coordinates(100, low)
    edges = torch.tensor([[[-0.5, 99.5], [49.5, 49.5]]])
    targets, mask = codec.encode(edges)
    assert targets.tolist() == [[[low, 1], [(1 + low) / 2] * 2]]
    assert mask.all()
    assert torch.allclose(codec.decode(targets), edges, atol=1e-4)


@pytest.mark.parametrize("shared", [False, True])
def test_offsets_are_taught_near_their_own_point(shared: bool) -> None:
    codec = Heatmap(64, 4, 2.0, "offset", shared=shared)
    points = torch.tensor([[[21.7, 30.2], [40.1, 12.6], ABSENT]])
    targets, mask = codec.encode(points)
    assert targets.shape == (1, codec.channels(3), 16, 16) == mask.expand_as(targets).shape
    assert (codec.decode(targets) - points)[0, :2].abs().max() < 1e-4
    assert not mask[0, 2].any()
    own = mask[0, 3:].flatten(1).sum(dim=1).tolist()
    # A disc of two px holds 12 to 16 pixels' middles.
    if shared:
        assert own[0] == own[1] == pytest.approx(26, abs=4)
    else:
        assert own[4:] == [0, 0]
        assert own[:4] == pytest.approx([13] * 4, abs=3)


# Uncertainty


@pytest.mark.parametrize(("logits", "within"), [(True, 0.01), (False, 0.1)])
def test_the_uncertainty_of_a_perfect_blob_is_its_mean_radius(logits: bool, within: float) -> None:
    codec = Heatmap(SIZE, STRIDE, 2.0, logits=logits)
    points = whole_blobs(codec)
    expected = 2.0 * math.sqrt(math.pi / 2) * STRIDE
    assert codec.uncertainty(said(codec, points)).mean() == pytest.approx(expected, rel=within)


def test_a_second_place_is_doubt() -> None:
    """60 % here and 40 % there, 100 px apart: 40 px of expected error above the blob's own."""
    codec = Heatmap(SIZE, STRIDE, 2.0, logits=True)
    here, there = torch.tensor([[[75.0, 128.0]]]), torch.tensor([[[175.0, 128.0]]])
    mixed = 0.6 * codec.encode(here).targets + 0.4 * codec.encode(there).targets
    outputs = (mixed + 1e-12).log()
    assert (codec.decode(outputs) - here).abs().max() < 0.1
    sure = codec.uncertainty(said(codec, here))
    assert codec.uncertainty(outputs) - sure == pytest.approx(40, abs=5)
