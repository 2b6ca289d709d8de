"""`assay import`: a hand-named `.pth` or `.pt` becomes a version, marked unproven, with its own text.

Nothing here can say how such a file was made, so it is kept, listed and never promoted. Its weights are
read without running what the file may contain, written as safetensors, and put under DVC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from assay.contract.bundle import Bundle
from assay.errors import RegistryError
from assay.lookup import find_task
from assay.params import read_params
from assay.registry.heal import heal, sync_models
from assay.registry.ledger import append
from assay.registry.tensors import add_to_dvc, read_state, write_state
from assay.registry.versions import IMPORT, versions
from assay.runs.files import file_digest
from assay.runs.lock import held
from assay.runs.places import named_lock
from assay.runs.record import WEIGHTS
from assay.value_faults import PARAMS_FILE
from assay.values import typed


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
        file: see `read_state`.
        text: what its owner's catalogue says of it.

    Raises:
        RegistryError: the file is none, is cut off, or holds more than tensors.
    """
    state, runs = read_state(file), heal(root).runs
    path = Path("models") / "imported" / task / f"{file.stem}-{file_digest(file)[:8]}.safetensors"
    count, numbers = len(state), sum(tensor.numel() for tensor in state.values())
    with held(named_lock(root, "candidate"), "another model is registered; waiting"):
        known = versions(root, task)
        before = (root / path).exists()
        digest = write_state(root / path, state)
        fits = _fits(root, task, root / path)
        same = next((each for each in known if digest in each.files.values()), None)
        number = same.number if same else len(known) + 1
        if same is not None and not before:  # equal weights under another name
            (root / path).unlink()
            path = Path(same.entry.facts.get("path", path))
        if same is None:
            add_to_dvc(root, path)
            facts = {
                "task": task,
                "version": number,
                "result": digest,
                "files": {WEIGHTS: digest},
                "file": file.name,
                "digest": file_digest(file),
                "path": str(path),
                "tensors": count,
                "numbers": numbers,
                "fits": fits,
                "text": text,
            }
            append(root, IMPORT, f"import {task}/v{number}, unproven: {file.name}", facts)
    sync_models(root, runs)
    return Imported(number, path, count, numbers, fits, same is None)


def _fits(root: Path, task: str, weights: Path) -> bool:
    found = find_task(task)
    params = typed(read_params(root / PARAMS_FILE), task, found.params)
    try:
        found.predictor(Bundle({WEIGHTS: weights}, {}), params)
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
