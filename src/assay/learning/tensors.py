"""Weights of a model in its one file: of a training as they are, of several folds by fold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from assay.runs.files import atomic_write

if TYPE_CHECKING:
    from torch import Tensor

    from assay.contract.bundle import Bundle


def load_tensors(bundle: Bundle) -> dict[str, Tensor]:
    """Return the tensors of a bundle's only file, on the CPU; of the fold that it is of, if it is.

    Raises:
        ValueError: it is of several folds, and none is named.
    """
    if bundle.fold is None:
        if bundle.folds:
            raise ValueError("a bundle of several folds: one of its `folds`")
        whole: dict[str, Tensor] = load_file(bundle.weights)
        return whole
    return tensors_below(bundle, fold_name(bundle.fold))


def join_folds(files: Mapping[int, Path], path: Path) -> None:
    """Write the tensors of each fold's file into one, `fold-<number>.` before their names."""
    state = {
        fold_name(fold) + name: tensor
        for fold, file in files.items()
        for name, tensor in load_file(file).items()
    }
    atomic_write(path, lambda aside: save_file(state, aside))


def tensors_below(bundle: Bundle, start: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin so, without that beginning: what all folds share."""
    with safe_open(bundle.weights, "pt") as file:
        return {
            name.removeprefix(start): file.get_tensor(name)
            for name in file.keys()  # noqa: SIM118 - no mapping
            if name.startswith(start)
        }


def fold_name(fold: int) -> str:
    """Return what the names of a fold's tensors begin with."""
    return f"fold-{fold}."
