"""Backbones from timm: from first weights, or from scratch; never silently from scratch."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from assay.errors import MachineError

NONE = "none"  # as sections of `params.yaml` say it


def build_backbone(name: str, weights: str, root: Path) -> tuple[nn.Module, str]:
    """Return a timm network without its classifier, and the digest of the weights it starts from.

    Args:
        name: a timm model name, with or without its tag.
        weights: `none` (random), or a .safetensors file.
        root: the folder from which a relative file counts.

    Raises:
        MachineError: the name is unknown, or the file holds no weights of it.
    """
    _ensure_known(name)
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=0)
    if weights == NONE:
        return network, NONE
    return network, _load(network, name, root / weights)


def _load(network: nn.Module, name: str, path: Path) -> str:
    state, own = _of_backbone(read_tensors(path)), network.state_dict()
    fitting = {key: value for key, value in state.items() if key in own}
    if set(fitting) != set(own):
        raise MachineError(
            f"weights of {name}", f"{path} holds {len(fitting)} of {len(own)} tensors", "all of them",
            "the file of this backbone: assay weights <task> <file>",
        )  # fmt: skip
    other = [key for key in own if fitting[key].shape != own[key].shape]
    if other:
        raise MachineError(
            f"weights of {name}", f"{path}: {other[0]} is of shape {tuple(fitting[other[0]].shape)}",
            f"{tuple(own[other[0]].shape)}", "the file of this backbone: assay weights <task> <file>",
        )  # fmt: skip
    network.load_state_dict(fitting)
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _of_backbone(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the backbone's tensors of a network with a head, or all there are."""
    start = "backbone."
    own = {name.removeprefix(start): each for name, each in state.items() if name.startswith(start)}
    return own or state


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a .safetensors file.

    Raises:
        MachineError: there is none, or it is cut off.
    """
    try:
        found: dict[str, torch.Tensor] = load_file(path)
    except (SafetensorError, OSError) as fault:
        raise MachineError(
            str(path), f"cannot be read: {fault}", "a whole .safetensors file",
            "assay weights <task> <file>, from the file that it was made of; or dvc checkout",
        ) from None  # fmt: skip
    return found


def ensure_takes(network: nn.Module, size: int, key: str) -> None:
    """Refuse an image size that the network is not made for, by showing it an empty image.

    timm's `fixed_input_size` does not tell: some networks that carry it take any size.

    Args:
        network: a backbone of timm, or one with a head on it.
        size: side of the images, px.
        key: of the size in `params.yaml`, for the mend.

    Raises:
        MachineError: with the size that it was made for.
    """
    learns = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, size, size))
    except (AssertionError, RuntimeError) as fault:
        configs = (getattr(each, "pretrained_cfg", None) for each in network.modules())
        config: dict[str, Any] = next(filter(None, configs), {})
        made_for = config.get("input_size", (3, "another", "another"))[-1]
        said = str(fault).partition("\n")[0]
        raise MachineError(
            f"model.backbone {config.get('architecture', '')}",
            f"does not take images of {size} px: {said}",
            f"{made_for} px",
            f"dvc exp run -S {key}={made_for}, or another backbone",
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
        "dvc exp run -S '<task>.model.backbone=<name>'; of a list: -S '<task>.model.<list>=[<name>, …]'",
    )
