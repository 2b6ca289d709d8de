"""A system's phantom as a source: made once below `.assay`, named by its parameters."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from assay.runs.files import content_digest, write_text
from assay.runs.lock import held

if TYPE_CHECKING:
    from assay.contract.system import System
    from assay.sections.section import Section


def made_phantom(root: Path, system: System, params: Section, code: str) -> str:
    """Return the phantom's folder relative to `root`; made where it is absent, or of other code.

    Args:
        root: the repository's root, so that experiments in folders of their own share it.
        system: whose phantom it is.
        params: how many, which seed, which faults.
        code: digest of the code that makes it.
    """
    uri = f".assay/phantom/{system.name}-{content_digest(params.model_dump(), 8)}"
    folder = root / uri
    stamp, aside, lock = (Path(f"{folder}.{part}") for part in ("code", "aside", "lock"))
    with held(lock, "another process makes this phantom; waiting"):
        if not (folder.exists() and stamp.exists() and stamp.read_text() == code):
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
            system.phantom(aside, params)
            shutil.rmtree(folder, ignore_errors=True)
            aside.rename(folder)
            write_text(stamp, code)
    return uri
