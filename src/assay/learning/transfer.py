"""First weights from another network's file: what fits is carried over, and what does not is said."""

from __future__ import annotations

import hashlib
from pathlib import Path

from torch import Tensor, nn

from assay.errors import MachineError
from assay.learning.backbone import read_tensors

PARTS = (
    "encoder.",
    "backbone.",
)  # what a network's tensors begin with, and a bare backbone's do not


def holds_network(path: Path) -> bool:
    """Return whether the file is of a network with its head, not of a backbone alone.

    Raises:
        MachineError: it is cut off, or no .safetensors file.
    """
    return path.is_file() and any(name.startswith(PARTS) for name in read_tensors(path))


def carry_over(network: nn.Module, path: Path) -> str:
    """Load what fits by name and shape; return the file's digest, and how much of each part came over.

    Part by part, in the order of the way through the network: what comes after a part with gaps would
    read features that it was not trained on, so nothing of it is carried. The first part has to be whole.

    Raises:
        MachineError: the file cannot be read, or the first part has gaps: another backbone.
    """
    stored, own = read_tensors(path), network.state_dict()
    carried: dict[str, Tensor] = {}
    told, whole = [], True
    for part, _ in network.named_children():
        names = [name for name in own if name.startswith(f"{part}.")]
        fitting = [name for name in names if whole and _fits(name, stored, own)]
        carried |= {name: stored[name] for name in fitting}
        told.append(f"{part} {len(fitting)} of {len(names)}")
        whole = len(fitting) == len(names)
        if not whole and len(told) == 1:
            raise MachineError(
                "model.weights", f"{path} fits {told[0]} tensors",
                "all of them: a network on this backbone", "model.backbone as that network had it",
            )  # fmt: skip
    network.load_state_dict(carried, strict=False)
    print(f"first weights from {path}: {', '.join(told)} tensors", flush=True)
    digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return f"{digest}: {', '.join(told)}"


def _fits(name: str, stored: dict[str, Tensor], own: dict[str, Tensor]) -> bool:
    return name in stored and stored[name].shape == own[name].shape
