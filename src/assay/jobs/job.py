"""A job: one training, named by everything that its numbers depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from assay.runs.files import content_digest


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        task: the task's name.
        params: `{task: {model, train}}`, as declared, what `machine` says in `train`; `train.fold` is
            the one fold that validates.
        inputs: path → digest of everything that the training reads: data, code, first weights.
    """

    task: str
    params: Mapping[str, Any]
    inputs: Mapping[str, str]

    @cached_property
    def key(self) -> str:
        """Return its name: equal keys, equal bytes. That of the stage `train` with these values."""
        return content_digest({"declared": self.params, "inputs": self.inputs})

    @property
    def stage(self) -> str:
        """Return the stage that trains it."""
        return f"train@{self.task}"

    @property
    def fold(self) -> int:
        """Return the fold that validates."""
        return int(self.params[self.task]["train"]["fold"])


def jobs_of(
    task: str, section: Mapping[str, Any], inputs: Mapping[str, str], folds: Sequence[int]
) -> list[Job]:
    """Return the job of each fold.

    Args:
        task: the task's name.
        section: its own; of it `model` and `train` count.
        inputs: see `Job`.
        folds: that validate, one a job.
    """
    return [
        Job(
            task,
            {task: {"model": section["model"], "train": {**section["train"], "fold": fold}}},
            inputs,
        )
        for fold in folds
    ]
