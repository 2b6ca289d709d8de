"""The code behind a result: modules and packages, as the file that its training read wrote them down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.code.source import file_name
from assay.code.write import FOLDER
from assay.runs.files import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assay.tracking.results import DvcCache

OLDER = "as folders: an older build"


@dataclass(frozen=True)
class Code:
    """What a training could reach.

    Attributes:
        digest: of the file; empty where the record is of an older build.
        files: path → digest of each module; none where the DVC cache does not hold the file. Of an older
            build the folders and files that its record names.
        packages: distribution → version; the same. Of an older build the digest of the lock.
    """

    digest: str
    files: Mapping[str, str]
    packages: Mapping[str, str]

    @property
    def told(self) -> str:
        """Return the whole in a word."""
        return self.digest[:8] or OLDER


def code_digest(inputs: Mapping[str, str]) -> str:
    """Return the digest of the file among what a record says was read; empty in an older one."""
    return next((md5 for path, md5 in inputs.items() if path.startswith(f"{FOLDER}/")), "")


def code_behind(cache: DvcCache, inputs: Mapping[str, str]) -> Code:
    """Return the code behind a record's inputs."""
    digest = code_digest(inputs)
    if not digest:
        files = {path: md5 for path, md5 in inputs.items() if path.startswith("src/")}
        return Code("", files, {"requirements.lock": inputs.get("requirements.lock", "")})
    path = cache.path(digest)
    if path is None:
        return Code(digest, {}, {})
    content = read_json(path)
    files = {file_name(module): found for module, found in content["modules"].items()}
    return Code(digest, files, content["distributions"])
