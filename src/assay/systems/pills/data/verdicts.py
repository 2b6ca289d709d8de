"""What the curriculum's stages were found to be: one tracked list, which only ever grows.

`data/pills.curriculum.json` takes an entry for each judgement (`assay curriculum pills --judge`) and each
override; the last of a stage counts. Ingest refuses a stage while one before it has neither passed nor
been overridden. It refuses, and changes no byte of what it writes: so the file is no dependency of its
own, and a new verdict makes nothing stale.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import TypeAdapter, ValidationError, model_validator

from assay.errors import AssayError, GateError
from assay.runs.files import read_json, write_json
from assay.sections.section import Section

PLACE = Path("data/pills.curriculum.json")
COMMAND = "assay curriculum pills"


class Found(Section):
    """One check of a stage, as it was printed."""

    name: str
    passed: bool
    expected: str
    found: str


class Interval(Section):
    """A score on the validation rows, and its interval."""

    value: float
    low: float
    high: float


class Entry(Section):
    """A verdict on one stage.

    Attributes:
        stage: of the curriculum.
        passed: whether every check did.
        checks: what was expected and found.
        score: of the headline metric.
        weights: md5 by task, of the models that were judged.
        split_digest: of the rows that they were trained and scored on.
        commit: whose `dvc.lock` holds them.
        device: on which latency was taken; empty where none is asked.
        override: why the stage counts as passed although it failed.
    """

    stage: Literal[1, 2, 3, 4]
    passed: bool
    checks: list[Found]
    score: Interval
    weights: dict[str, str]
    split_digest: str
    commit: str
    device: str
    override: str | None = None

    @model_validator(mode="after")
    def _true_to_its_checks(self) -> Self:
        if not self.checks or self.passed != all(check.passed for check in self.checks):
            raise ValueError(f"stage {self.stage}: `passed` is not what its checks say")
        if self.override is not None and (self.passed or not self.override.strip()):
            raise ValueError(f"stage {self.stage}: only a failure is overridden, with a reason")
        return self

    @property
    def opens(self) -> bool:
        """Whether the next stage may begin."""
        return self.passed or self.override is not None

    def told(self) -> str:
        """Return the verdict in words, a failed one with every check that failed."""
        if self.passed:
            return "passed"
        failed = (f"{check.name}: {check.found}" for check in self.checks if not check.passed)
        return "failed: " + "; ".join(failed)


ENTRIES = TypeAdapter(list[Entry])


def read_verdicts(root: Path) -> list[Entry]:
    """Read the tracked list below `root`, in order; an absent one is empty.

    Raises:
        AssayError: it is not such a list, or a verdict is not what its own checks say.
    """
    path = root / PLACE
    if not path.exists():
        return []
    try:
        return ENTRIES.validate_python(read_json(path))
    except ValidationError as fault:
        first = fault.errors(include_url=False)[0]
        found = f"entry {'.'.join(map(str, first['loc']))}: {first['msg']}"
    except ValueError as fault:
        found = f"not JSON: {fault}"
    raise AssayError(str(path), found, "a list of verdicts", f"git checkout -- {PLACE}")


def add_verdict(root: Path, entry: Entry) -> None:
    """Put an entry behind the others."""
    known = [*read_verdicts(root), entry]
    write_json(root / PLACE, [each.model_dump() for each in known])


def last(verdicts: Sequence[Entry], stage: int) -> Entry | None:
    """Return the verdict that counts, or None where the stage was never judged."""
    return next((each for each in reversed(verdicts) if each.stage == stage), None)


def ensure_open(root: Path, stage: int | Literal["all"]) -> None:
    """Refuse a stage while one before it is not done; `all` is no stage.

    Raises:
        GateError: a stage before it has no verdict, or failed and is not overridden.
    """
    if stage == "all":
        return
    verdicts = read_verdicts(root)
    for before in range(1, stage):
        verdict = last(verdicts, before)
        if verdict is None or not verdict.opens:
            said = "has no verdict" if verdict is None else verdict.told()
            judge = f"dvc exp run -S pills.ingest.stage={before}, then {COMMAND} --judge"
            override = "" if verdict is None else f", or {COMMAND} --override {before} --reason '…'"
            raise GateError(
                f"pills.ingest.stage: {stage}", f"stage {before} {said}",
                f"every stage before {stage} passed, or overridden with a reason", judge + override,
            )  # fmt: skip
