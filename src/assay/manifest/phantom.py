"""A system's phantom as a source: made once below `.assay`, named by its parameters."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.runs.files import content_digest, write_text
from assay.runs.lock import held
from assay.runs.places import PHANTOMS

if TYPE_CHECKING:
    from assay.sections.section import Section


def made_phantom(
    root: Path, name: str, make: Callable[[Path, Any], None], params: Section, code: str
) -> str:
    """Return the phantom's folder relative to `root`; made where it is absent, or of other code.

    Args:
        root: the repository's root, so that experiments in folders of their own share it.
        name: of the data set whose phantom it is.
        make: writes it into an empty folder.
        params: how many, which seed, which faults.
        code: digest of the code that makes it.
    """
    uri = f"{PHANTOMS}/{name}-{content_digest(params.model_dump(), 8)}"
    folder = root / uri
    stamp, aside, lock = (Path(f"{folder}.{part}") for part in ("code", "aside", "lock"))
    with held(lock, "another process makes this phantom; waiting"):
        if not (folder.exists() and stamp.exists() and stamp.read_text() == code):
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
            make(aside, params)
            shutil.rmtree(folder, ignore_errors=True)
            aside.rename(folder)
            write_text(stamp, code)
    return uri
