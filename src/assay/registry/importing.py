"""`assay import`: a hand-named `.pth` or `.pt` becomes a version, marked unproven, with its own text.

Nothing here can say how such a file was made, so it is kept, listed and never promoted. Its weights are
read without running what the file may contain, written as safetensors, and put under DVC.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import RegistryError
from assay.lookup import find_task
from assay.params import PARAMS_FILE, read_params, typed
from assay.registry.ledger import append
from assay.registry.mirror import mirror
from assay.registry.versions import IMPORT, versions
from assay.runs.files import file_digest, write_aside
from assay.runs.lock import held
from assay.tracking.sync import sync

if TYPE_CHECKING:
    from torch import Tensor

# Under which name training scripts put the weights beside optimiser and epoch.
HOLDERS = ("state_dict", "model_state_dict", "model_state", "model", "weights", "net")


@dataclass(frozen=True)
class Imported:
    """An imported file.

    Attributes:
        number: of the version.
        path: where the weights lie now, relative to the root; its `.dvc` file is to be committed.
        tensors: how many.
        weights: how many numbers in all of them.
        fits: whether the task's network of today takes them as they are.
        is_new: whether it was not a version already.
    """

    number: int
    path: Path
    tensors: int
    weights: int
    fits: bool
    is_new: bool


def import_weights(root: Path, task: str, file: Path, text: str) -> Imported:
    """Register the weights in `file` as an unproven version of `task`.

    Args:
        root: the repository.
        task: the task's name.
        file: a state dict, or a checkpoint that holds one, saved by torch.
        text: what its owner's catalogue says of it.

    Raises:
        RegistryError: the file is none, is cut off, or holds more than tensors.
    """
    state = read_state(file)
    path = Path("models") / "imported" / task / f"{file.stem}-{file_digest(file)[:8]}.safetensors"
    count, numbers = len(state), sum(tensor.numel() for tensor in state.values())
    with held(root / ".assay" / "locks" / "candidate.lock", "another model is registered; waiting"):
        known = versions(root, task)
        before = (root / path).exists()
        digest = _write(root / path, state)
        fits = _fits(root, task, root / path)
        same = next((each for each in known if each.weights == digest), None)
        number = same.number if same else len(known) + 1
        if same is not None and not before:  # equal weights under another name
            (root / path).unlink()
            path = Path(same.entry.facts.get("path", path))
        if same is None:
            _add(root, path)
            facts = {
                "task": task,
                "version": number,
                "result": digest,
                "weights": digest,
                "file": file.name,
                "digest": file_digest(file),
                "path": str(path),
                "tensors": count,
                "numbers": numbers,
                "fits": fits,
                "text": text,
            }
            append(root, IMPORT, f"import {task}/v{number}, unproven: {file.name}", facts)
    mirror(root, sync(root).runs)
    return Imported(number, path, count, numbers, fits, same is None)


def read_state(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a state dict by name; nothing that the file contains is run.

    Raises:
        RegistryError: with what the file holds instead.
    """
    import torch

    if not file.is_file():
        raise RegistryError(str(file), "no such file", "a .pth or .pt file")
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


def _state_in(file: Path, content: Any) -> dict[str, Tensor]:
    import torch

    if isinstance(content, Mapping):
        tensors = {k: v for k, v in content.items() if isinstance(v, torch.Tensor)}
        if tensors and len(tensors) == len(content):
            return {str(name): tensor.contiguous() for name, tensor in tensors.items()}
        for name in HOLDERS:
            if isinstance(content.get(name), Mapping):
                return _state_in(file, content[name])
    found = f"holds {type(content).__name__}"
    if isinstance(content, Mapping):
        found = f"holds {', '.join(map(str, list(content)[:6]))}"
    raise _not_weights(file, found)


def _not_weights(file: Path, found: str) -> RegistryError:
    expected = f"a state dict, or one under {', '.join(HOLDERS)}"
    mend = "where it was made: torch.save(model.state_dict(), '…')"
    return RegistryError(str(file), found, expected, mend)


def _write(path: Path, state: Mapping[str, Tensor]) -> str:
    """Write safetensors; return their md5."""
    from safetensors.torch import save_file

    # Tied weights share memory, which safetensors refuses.
    owned = {name: tensor.clone() for name, tensor in state.items()}
    write_aside(path, lambda aside: save_file(owned, aside))
    return file_digest(path)


def _add(root: Path, path: Path) -> None:
    """Put a file under DVC, so that clones and garbage collection know it."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        repo.add([str(root / path)])


def _fits(root: Path, task: str, weights: Path) -> bool:
    found = find_task(task)
    params = typed(read_params(root / PARAMS_FILE), task, found.params)
    try:
        found.predictor(weights, params)
    except (RuntimeError, KeyError, ValueError):
        return False
    return True


def text_of(catalogue: Path, file: str) -> str:
    """Return the section of a Markdown catalogue whose heading names `file`.

    Raises:
        RegistryError: no heading names it, or several do.
    """
    sections = re.split(
        r"^(?=#{1,6} )", catalogue.read_text(encoding="utf-8-sig"), flags=re.MULTILINE
    )
    found = [part for part in sections if file in part.partition("\n")[0]]
    if len(found) != 1:
        named = [part.partition("\n")[0].lstrip("# ") for part in sections if part.startswith("#")]
        raise RegistryError(
            str(catalogue), f"{len(found)} headings name {file}", f"one of: {'; '.join(named)}"
        )
    return found[0].strip().removesuffix("---").strip()
