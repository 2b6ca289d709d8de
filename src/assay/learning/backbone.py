"""Backbones from timm: pretrained, from a file, or from scratch; never silently from scratch."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path
from typing import Any

import timm
import torch
from huggingface_hub import get_session, try_to_load_from_cache
from huggingface_hub.constants import ENDPOINT
from safetensors.torch import load_file, save
from torch import nn

from assay.errors import MachineError

NONE, PRETRAINED = "none", "pretrained"
HUB_SECONDS = 5


def build_backbone(name: str, weights: str, root: Path) -> tuple[nn.Module, str]:
    """Return a timm network without its classifier, and the digest of the weights it starts from.

    Args:
        name: a timm model name, with or without its tag.
        weights: `none` (random), `pretrained` (timm's, from the hub or its cache), or a file.
        root: the folder from which a relative file counts.

    Raises:
        MachineError: the name is unknown, or the weights are neither here nor to be had.
    """
    _ensure_known(name)
    if weights == NONE:
        return _create(name, pretrained=False), NONE
    if weights == PRETRAINED:
        return _pretrained(name)
    return _from_file(name, root / weights)


def _from_file(name: str, path: Path) -> tuple[nn.Module, str]:
    network = _create(name, pretrained=False)
    if not path.is_file():
        raise MachineError(
            f"weights of {name}",
            f"no such file: {path}",
            "none, pretrained, or a file",
            "dvc exp run -S '<task>.model.weights=none'",
        )
    state, own = _read(path), network.state_dict()
    fitting = {key: value for key, value in state.items() if key in own}
    if set(fitting) != set(own):
        raise MachineError(
            f"weights of {name}",
            f"{path} holds {len(fitting)} of {len(own)} tensors",
            "all of them",
            "name the file of this backbone",
        )
    network.load_state_dict(fitting)
    return network, hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def ensure_takes(network: nn.Module, size: int) -> None:
    """Refuse an image size that the network is not made for, by showing it an empty image.

    timm's `fixed_input_size` does not tell: some networks that carry it take any size.

    Raises:
        MachineError: with the size that it was made for.
    """
    learns = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, size, size))
    except (AssertionError, RuntimeError) as fault:
        config: dict[str, Any] = getattr(network, "pretrained_cfg", {})
        made_for = config.get("input_size", (3, "another", "another"))[-1]
        said = str(fault).partition("\n")[0]
        raise MachineError(
            f"model.backbone {config.get('architecture', '')}",
            f"does not take images of {size} px: {said}",
            f"{made_for} px",
            f"dvc exp run -S '<data>.ingest.size={made_for}', or another backbone",
        ) from None
    finally:
        network.train(learns)


def _ensure_known(name: str) -> None:
    base, _, tag = name.partition(".")
    if timm.is_model(base) and (not tag or name in timm.list_pretrained(f"{base}.*")):
        return
    known = [*timm.list_models(), *timm.list_pretrained()]
    close = difflib.get_close_matches(name, known, n=3)
    raise MachineError(
        "model.backbone",
        f"timm has no {name!r}",
        f"for example {', '.join(close) or 'resnet18'}",
        "dvc exp run -S '<task>.model.backbone=<name>'",
    )


def _create(name: str, pretrained: bool) -> nn.Module:
    network: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=0)
    return network


def _pretrained(name: str) -> tuple[nn.Module, str]:
    """Take the hub's file from its cache, else fetch it; a hub out of reach is told within seconds."""
    config = timm.get_pretrained_cfg(name)
    if config is not None and config.hf_hub_id:
        cached = try_to_load_from_cache(config.hf_hub_id, "model.safetensors")
        if isinstance(cached, str):
            return _from_file(name, Path(cached))
        _ensure_reachable(name)
    network = _create(name, pretrained=True)
    digest = hashlib.md5(save(network.state_dict()), usedforsecurity=False)
    return network, digest.hexdigest()


def _ensure_reachable(name: str) -> None:
    """Ask the hub once: its own client would retry for a minute before it gives up."""
    try:
        get_session().head(ENDPOINT, timeout=HUB_SECONDS)
    except Exception as fault:  # noqa: BLE001  a dozen kinds mean "no network"
        raise MachineError(
            f"weights of {name}",
            "pretrained weights are not on this machine and the hub cannot be reached"
            f" ({ENDPOINT}: {type(fault).__name__})",
            "a network, the hub's cache, or a file",
            "dvc exp run -S '<task>.model.weights=<file>', or =none to train from scratch",
        ) from None


def _read(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        loaded: dict[str, torch.Tensor] = load_file(path)
        return loaded
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state
