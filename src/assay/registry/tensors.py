"""Weights in files: read without running what a file may contain, written as safetensors."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import RegistryError
from assay.runs.files import atomic_write, file_digest

if TYPE_CHECKING:
    from torch import Tensor

# Under which name training scripts put the weights beside optimiser and epoch.
HOLDERS = ("state_dict", "model_state_dict", "model_state", "model", "weights", "net")
FOLD = re.compile(r"fold-\d+\.")  # before the names of a model of several folds; see `join_folds`
# What wrappers put before every name: DataParallel, torch.compile, and attributes of Lightning modules.
WRAPPERS = ("module.", "_orig_mod.", "model.", "network.", "net.")


def read_state(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name; nothing that it contains is run.

    Args:
        file: safetensors, or a state dict, or a checkpoint that holds one, saved by torch.

    Raises:
        RegistryError: with what the file holds instead.
    """
    import torch

    if not file.is_file():
        found = "a folder" if file.is_dir() else "no such file"
        raise RegistryError(str(file), found, "a .pth, .pt, .ckpt or .safetensors file")
    if file.suffix == ".safetensors":
        return _read_safetensors(file)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as fault:
        held_class = re.search(r"GLOBAL (\S+)", str(fault))
        found = f"holds {held_class[1]}, code and not weights" if held_class else "no torch file"
        raise _not_weights(file, found) from None
    except Exception as fault:  # noqa: BLE001 - what torch's reader raises depends on the bytes
        said = str(fault).partition(". ")[0].partition("\n")[0] or type(fault).__name__
        raise _not_weights(file, f"cut off, or no torch file ({said})") from None
    return _state_in(file, content)


def unwrapped(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """Return the tensors under their network's own names, and what stood before all of them."""
    found, before = dict(state), ""
    while found:
        wrapper = next((each for each in WRAPPERS if all(n.startswith(each) for n in found)), "")
        if not wrapper:
            break
        found = {name.removeprefix(wrapper): tensor for name, tensor in found.items()}
        before += wrapper
    return found, before


def write_state(path: Path, state: Mapping[str, Tensor]) -> str:
    """Write safetensors; return their md5."""
    from safetensors.torch import save_file

    # Tied weights share memory, which safetensors refuses.
    owned = {name: tensor.clone() for name, tensor in state.items()}
    atomic_write(path, lambda aside: save_file(owned, aside))
    return file_digest(path)


def add_to_dvc(root: Path, path: Path) -> None:
    """Put a file under DVC, so that clones and garbage collection know it."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        repo.add([str(root / path)])


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found: dict[str, Tensor] = load_file(file)
    except SafetensorError as fault:
        raise _not_weights(file, f"cut off, or no safetensors ({fault})") from None
    return _ensured(file, found)


def _state_in(file: Path, content: Any) -> dict[str, Tensor]:
    import torch

    if isinstance(content, Mapping):
        tensors = {k: v for k, v in content.items() if isinstance(v, torch.Tensor)}
        if tensors and len(tensors) == len(content):
            return _ensured(file, tensors)
        for name in HOLDERS:
            if isinstance(content.get(name), Mapping):
                return _state_in(file, content[name])
    found = f"holds {type(content).__name__}"
    if isinstance(content, Mapping):
        found = f"holds {', '.join(map(str, list(content)[:6])) or 'nothing'}"
    raise _not_weights(file, found)


def _ensured(file: Path, tensors: Mapping[Any, Tensor]) -> dict[str, Tensor]:
    """Return plain tensors by name; refuse what safetensors, or a name as text, cannot hold."""
    import torch

    if not tensors:
        raise _not_weights(file, "holds nothing")
    for name, tensor in tensors.items():
        is_plain = tensor.layout == torch.strided and tensor.device.type != "meta"
        if not is_plain or tensor.is_quantized:
            raise _not_weights(
                file, f"{name} is no plain tensor: sparse, quantised, or without values"
            )
    if folds := sorted({str(name).partition(".")[0] for name in tensors if FOLD.match(str(name))}):
        raise RegistryError(
            str(file), f"weights of several trainings: {', '.join(folds)}", "those of one",
            "train it on one fold: dvc exp run -S <task>.train.fold=0",
        )  # fmt: skip
    found = {str(name): tensor.contiguous() for name, tensor in tensors.items()}
    if len(found) < len(tensors):
        raise _not_weights(file, "holds two tensors of one name, as number and as text")
    return found


def _not_weights(file: Path, found: str) -> RegistryError:
    expected = f"a state dict, or one under {', '.join(HOLDERS)}"
    mend = "where it was made: torch.save(model.state_dict(), '…')"
    return RegistryError(str(file), found, expected, mend)
