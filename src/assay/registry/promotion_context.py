"""A case: one candidate before the door, the champion it is measured against, and what both rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.contract.task_rows import row_of, task_rows
from assay.errors import AssayError, RegistryError
from assay.lookup import find_task
from assay.manifest.layout import Layout
from assay.manifest.parts import read_rows
from assay.manifest.storage import read_storage
from assay.manifest.table import read_table
from assay.params import read_params
from assay.registry.commit_artifacts import CommitArtifacts
from assay.registry.versions import current_aliases, versions
from assay.runs.files import read_json
from assay.runs.record import RECORD
from assay.tracking.changes import repictured
from assay.tracking.entries import iter_lock_entries
from assay.tracking.paired import against_baseline, paired, seed_noise
from assay.tracking.projection import project
from assay.tracking.results import join_results
from assay.tracking.scored import read_scored, scored_name
from assay.value_faults import PARAMS_FILE
from assay.values import declared_part, typed

if TYPE_CHECKING:
    from assay.contract.task import Task
    from assay.manifest.rows import Rows
    from assay.registry.versions import Version
    from assay.sections.task import TaskParams
    from assay.tracking.paired import Noise, Paired
    from assay.tracking.scored import Scored


@dataclass(frozen=True)
class PromotionContext:
    """What the gates judge; each of its parts is read when a gate asks for it.

    Attributes:
        root: the repository.
        candidate: the version at the door.
        champion: the version that stands; None where none does.
    """

    root: Path
    candidate: Version
    champion: Version | None

    @property
    def task(self) -> Task:
        return find_task(self.candidate.task)

    @cached_property
    def pinned(self) -> CommitArtifacts:
        return CommitArtifacts(self.root, self.candidate.commit)

    @cached_property
    def params(self) -> TaskParams:
        """Return the task's section as it stands now: the door's conditions are today's."""
        return typed(read_params(self.root / PARAMS_FILE), self.task.name, self.task.params)

    @cached_property
    def record(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = read_json(self.pinned.file(f"models/{self.task.name}/{RECORD}"))
        return found

    @cached_property
    def scored(self) -> Scored:
        """Return the candidate's predictions of its validation rows, as they were scored."""
        return self._scored_of(self.pinned)

    def _scored_of(self, pinned: CommitArtifacts) -> Scored:
        return read_scored(pinned.file(scored_name(pinned.outs, f"reports/{self.task.name}/")))

    @cached_property
    def validation(self) -> Rows:
        """Return those rows, in their order."""
        layout = Layout(self.task.data)
        table, facts = read_table(self.pinned.file(layout.trainval), f"split@{self.task.data}")
        pixels = self.pinned.file(layout.trainval_pixels)
        storage = read_storage(facts, self.task.data, "split")
        whole = read_rows(pixels, table, storage, self.root)
        trained = declared_part(self.record["params"], self.task.name, self.task.params)
        rows = task_rows(self.task, whole, trained)
        place = {str(name): row for row, name in enumerate(rows.columns["sample_id"])}
        return rows.where(np.array([place[name] for name in self.scored.sample_ids]))

    @cached_property
    def replaced(self) -> set[str]:
        """Return the data's rows whose picture is another file than when the champion was trained."""
        if self.champion is None:
            return set()
        table = Layout(self.task.data).trainval
        return repictured(
            self.pinned.file(table), CommitArtifacts(self.root, self.champion.commit).file(table)
        )

    @cached_property
    def compared(self) -> Paired | AssayError:
        """Return the comparison on validation rows, or why there is none."""
        try:
            if self.champion is None:
                return against_baseline(self.task, self.scored, self.params.evaluate)
            other = self._scored_of(CommitArtifacts(self.root, self.champion.commit))
            own = [
                row
                for row, name in enumerate(self.scored.sample_ids)
                if row_of(self.task, name) not in self.replaced
            ]
            return paired(self.task, self.scored.at(np.array(own)), other, self.params.evaluate)
        except AssayError as fault:
            return fault

    @cached_property
    def noise(self) -> Noise | None:
        """Return what another seed alone changes, where at least three are known."""
        results = join_results(iter_lock_entries(self.root))
        for result in results:
            if result.digest == self.candidate.result:
                shown = project(result, self.pinned.cache, self.root)
                return None if shown is None else seed_noise(self.root, self.task, shown, results)
        return None


def read_context(root: Path, task: str) -> PromotionContext:
    """Return the case of the task's candidate.

    Raises:
        RegistryError: there is no candidate, or it is an import whose making nobody knows.
    """
    stands = current_aliases(root, task)
    known = {version.number: version for version in versions(root, task)}
    if stands.candidate is None:
        said = f"the champion is v{stands.champion}" if stands.champion else "nothing is registered"
        raise RegistryError(
            f"promote {task}", f"no candidate; {said}", mend=f"assay register {task}"
        )
    return PromotionContext(root, known[stands.candidate], known.get(stands.champion or 0))
