"""What `dvc.lock` says of the stages behind a result: that they belong together, and with what they ran.

`params.yaml` may have been edited since; the lock holds the parameters that each stage really had.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from assay.errors import AssayError
from assay.runs.files import file_digest
from assay.runs.git import git
from assay.value_faults import PARAMS_FILE

LOCK = "dvc.lock"


@dataclass(frozen=True)
class Lock:
    """The lock of the checkout at `root`."""

    root: Path

    @cached_property
    def stages(self) -> Mapping[str, Any]:
        path = self.root / LOCK
        try:
            content = YAML(typ="safe").load(path.read_text("utf-8")) if path.exists() else None
        except YAMLError as fault:
            raise AssayError(LOCK, f"not YAML: {fault}", mend=f"git checkout -- {LOCK}") from None
        return (content or {}).get("stages") or {}

    def commit(self) -> str:
        """Return the commit that holds this very lock.

        Raises:
            AssayError: none does: what is judged could not be found again.
        """
        changed = git(self.root, "status", "--porcelain", "--", LOCK)
        commit = git(self.root, "rev-parse", "HEAD")
        if changed or not commit:
            raise AssayError(
                LOCK, "not committed", "a commit that holds the results",
                "git commit -a -m 'Train …', then again",
            )  # fmt: skip
        return commit

    def declared(self, stage: str) -> dict[str, Any]:
        """Return the parameters that the stage had, nested."""
        declared: dict[str, Any] = {}
        for name, value in self.stages[stage].get("params", {}).get(PARAMS_FILE, {}).items():
            *above, leaf = name.split(".")
            place = declared
            for part in above:
                place = place.setdefault(part, {})
            place[leaf] = value
        return declared

    def deps(self, stage: str) -> dict[str, str]:
        """Return path → md5 of what the stage read."""
        return _digests(self.stages[stage].get("deps"))

    def made(self, stages: Sequence[str], files: Iterable[str]) -> dict[str, str]:
        """Return path → md5 of what `stages` made, each read by the next as the one before left it.

        Args:
            stages: in the order in which they run.
            files: outputs that stand in the checkout, as they were made.

        Raises:
            AssayError: a stage never ran, read other files than these, or a file is another now.
        """
        mend = f"dvc repro {stages[-1]}"
        made: dict[str, str] = {}
        for stage in stages:
            if stage not in self.stages:
                raise AssayError(LOCK, f"no results of {stage}", mend=mend)
            for path, md5 in self.deps(stage).items():
                if made.get(path, md5) != md5:
                    raise AssayError(
                        stage, f"stale: it read another {path} than there is", "one chain", mend
                    )
            made |= _digests(self.stages[stage].get("outs"))
        for name in files:
            self._ensure_as_made(name, made[name], mend)
        return made

    def _ensure_as_made(self, name: str, md5: str, mend: str) -> None:
        path = self.root / name
        if not path.exists():
            raise AssayError(name, "no such file", f"as {LOCK} has it", f"dvc checkout {name}")
        if file_digest(path) != md5:
            raise AssayError(
                name, f"stale: not what {LOCK} holds", "the file as its stage left it",
                f"dvc checkout {name}, or {mend}",
            )  # fmt: skip


def _digests(listed: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    return {each["path"]: each["md5"] for each in listed or []}
