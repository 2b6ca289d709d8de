"""Which distributions a stage's imports come from, and what those require: by the lock's versions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

LOCK_FILE = Path("requirements.lock")
# Where a module has another name than what is installed. That this holds for every module that a stage
# imports is tested; asking `importlib.metadata` reads every file list, 0.24 s.
NAMES = {
    "PIL": "pillow", "cv2": "opencv-python-headless", "ruamel": "ruamel.yaml", "sklearn": "scikit-learn",
}  # fmt: skip
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
REQUIRED = re.compile(r"^([A-Za-z0-9._-]+)")


def versions_of(modules: Iterable[str]) -> dict[str, str]:
    """Return name → version of what these modules come from, and of all that it requires.

    What the lock does not hold is not there: an optional decoder, say, which `params.yaml` names.

    Args:
        modules: first names, as imported.
    """
    pinned, found = pins(), dict[str, str]()
    waiting = [NAMES.get(name, name) for name in modules]
    while waiting:
        name = plain(waiting.pop())
        if name in pinned and name not in found:
            found[name] = pinned[name]
            waiting += required(name)
    return dict(sorted(found.items()))


def pins(folder: Path = Path()) -> dict[str, str]:
    """Return name → version of the lock in a folder."""
    text = (folder / LOCK_FILE).read_text("utf-8")
    return {plain(name): version for name, version in PIN.findall(text)}


@cache
def required(name: str) -> list[str]:
    """Return what a distribution says it needs; what it needs for an extra alone is left out."""
    try:
        lines = distribution(name).requires or []
    except (
        PackageNotFoundError
    ):  # of another platform: what is imported and absent is told by Python
        return []
    found = [REQUIRED.match(line) for line in lines if "extra ==" not in line]
    return [each[1] for each in found if each]


def plain(name: str) -> str:
    """Return a name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
