"""A study about to run: its declaration, what it rests on, and its digest; written for the workers.

Lies in `.assay/search/<task>/<study>-<digest>/study.json`. The digest is over everything that a trial's
numbers depend on: the declaration without its budget, the task's own section, and DVC's digests of the
training's inputs (data of this split, code, locked environment). So a changed study is another one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from assay.errors import AssayError, nearest
from assay.params_check import SEARCHED, laid_over
from assay.runs.files import content_digest, read_json, write_text
from assay.runs.places import STUDIES as STUDIES_FOLDER
from assay.search.space import declared_values, grid
from assay.sections.study import Study
from assay.sections.task import ALL
from assay.value_faults import SEARCH_FILE, STUDIES, place
from assay.values import on_machine

FILE = "study.json"
Values = Mapping[str, Any]


@dataclass(frozen=True)
class StudyPlan:
    """A study, and what it rests on.

    Attributes:
        task: whose parameters are searched.
        name: of the study.
        declared: its declaration, as `params.yaml` has it.
        section: the task's own section.
        inputs: path → digest, of everything that the training reads.
    """

    task: str
    name: str
    declared: Values
    section: Values
    inputs: Mapping[str, str]

    @cached_property
    def study(self) -> Study:
        """Return the checked declaration."""
        return Study.model_validate(self.declared)

    @cached_property
    def digest(self) -> str:
        """Name the study by what its numbers depend on."""
        asked = {key: value for key, value in self.declared.items() if key != "trials"}
        own = {part: self.section[part] for part in SEARCHED}
        order = [list(asked["objectives"]), list(asked["space"])]
        return content_digest([asked, order, own, dict(self.inputs)], 12)

    @property
    def title(self) -> str:
        """Name the study in a storage that others use too."""
        return f"{self.task}/{self.name}-{self.digest}"

    def folder(self, root: Path) -> Path:
        """Return where everything of it lies."""
        return studies_folder(root) / self.task / f"{self.name}-{self.digest}"

    def values(self, params: Values) -> dict[str, Any]:
        """Return a trial's parameters as `params.yaml` would have them."""
        return declared_values(self.study, params)

    def section_with(self, params: Values) -> dict[str, Any]:
        """Return the task's section with a trial's values in it."""
        return laid_over(self.section, {**self.study.fixed, **self.values(params)})

    def budget(self, trials: int | None) -> int:
        """Return the trials to be run: as asked or declared; of a grid, no more than it has points."""
        asked = trials or self.study.trials
        points = math.prod(map(len, grid(self.study).values()))
        return min(asked, points) if self.study.sampler == "grid" else asked

    def write(self, root: Path) -> Path:
        """Write the plan for workers and `assay sync`; return its folder."""
        folder = self.folder(root)
        # Not `write_json`: objectives and space have an order.
        write_text(folder / FILE, json.dumps(asdict(self), indent=2) + "\n")
        return folder


def studies_folder(root: Path) -> Path:
    """Return where studies lie."""
    return root / STUDIES_FOLDER


def read_plan(folder: Path) -> StudyPlan:
    """Read the plan that lies in a study's folder."""
    return StudyPlan(**read_json(folder / FILE))


def plan_study(
    content: Mapping[str, Any], task: str, name: str | None, inputs: Mapping[str, str]
) -> StudyPlan:
    """Return the plan of a declared study; the only one of its task where no name is given.

    Args:
        content: of the checked `params.yaml` and `search.yaml`.
        task: the task's name.
        name: of the study.
        inputs: see `StudyPlan`.

    Raises:
        AssayError: no such study, or several and no name; or one that prunes trials of all folds.
    """
    known = (content.get(STUDIES) or {}).get(task) or {}
    where = place(f"{STUDIES}.{task}")
    if not known:
        raise AssayError(where, "no study", "a study of that task; docs/search.md shows one")
    if name is None and len(known) > 1:
        raise AssayError(where, f"{len(known)} studies", f"--study {' | '.join(known)}")
    chosen = next(iter(known)) if name is None else name
    if chosen not in known:
        raise AssayError(f"{where}.{chosen}", "no such study", nearest(chosen, known))
    plan = StudyPlan(task, chosen, known[chosen], on_machine(content[task], content), inputs)
    _ensure_prunable(plan, f"{where}.{chosen}")
    return plan


def _ensure_prunable(plan: StudyPlan, where: str) -> None:
    """Refuse a pruner where a trial is all folds: they are trained one after the other."""
    study, own = plan.study, plan.section["train"]["fold"]
    folds = study.space.get("train.fold", [study.fixed.get("train.fold", own)])
    if study.pruner != "none" and isinstance(folds, list) and ALL in folds:
        raise AssayError(
            f"{where}.pruner", f"{study.pruner.kind}, with train.fold all",
            "none: of all folds no single one tells whether a trial falls behind",
            f"edit {SEARCH_FILE}: pruner: none, or fixed: {{train.fold: 0}}",
        )  # fmt: skip
