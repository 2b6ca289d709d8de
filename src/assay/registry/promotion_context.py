"""A case: one candidate before the door, the champion it is measured against, and what both rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.contract.task_rows import row_of
from assay.errors import AssayError, RegistryError
from assay.lookup import find_scored
from assay.manifest.layout import Layout
from assay.manifest.parts import read_rows
from assay.manifest.storage import read_storage
from assay.manifest.table import read_table
from assay.params import read_params
from assay.registry.commit_artifacts import CommitArtifacts
from assay.registry.predictions import sample_of
from assay.registry.versions import current_aliases, versions
from assay.runs.files import read_json
from assay.runs.record import PREDICTIONS, RECORD
from assay.tracking.changes import repictured
from assay.tracking.entries import iter_lock_entries
from assay.tracking.paired import against_baseline, paired, seed_noise
from assay.tracking.projection import project
from assay.tracking.results import join_results
from assay.tracking.scored import read_scored
from assay.value_faults import PARAMS_FILE
from assay.values import typed

if TYPE_CHECKING:
    from assay.contract.scored import Scored
    from assay.manifest.rows import Rows
    from assay.registry.versions import Version
    from assay.sections.task import ScoredParams
    from assay.tracking.paired import Noise, Paired
    from assay.tracking.scored import ScoredRows


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
    def scored(self) -> Scored:
        return find_scored(self.candidate.task)

    @cached_property
    def pinned(self) -> CommitArtifacts:
        return CommitArtifacts(self.root, self.candidate.commit)

    @cached_property
    def params(self) -> ScoredParams:
        """Return its section as it stands now: the door's conditions are today's."""
        return typed(read_params(self.root / PARAMS_FILE), self.scored.name, self.scored.params)

    @cached_property
    def record(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = read_json(
            self.pinned.file(f"models/{self.scored.name}/{RECORD}")
        )
        return found

    @cached_property
    def rows(self) -> ScoredRows:
        """Return the candidate's predictions of its validation rows, as they were scored."""
        return self._rows_of(self.pinned)

    def _rows_of(self, pinned: CommitArtifacts) -> ScoredRows:
        return read_scored(pinned.file(f"reports/{self.scored.name}/{PREDICTIONS}"))

    def validation(self) -> tuple[Rows, int, npt.NDArray[np.int64]]:
        """Return some of its data's rows, of how many, and where what was said of them stands.

        A row of the data is a row that was scored, or what several were cut from; which, their ids
        tell: nothing is cut here. Rows of one fold stand together.
        """
        layout = Layout(self.scored.data)
        table, facts = read_table(self.pinned.file(layout.trainval), f"split@{layout.name}")
        storage = read_storage(facts, layout.name, "split")
        whole = read_rows(self.pinned.file(layout.trainval_pixels), table, storage, self.root)
        places: dict[str, list[int]] = {}
        for row, name in enumerate(self.rows.sample_ids):
            places.setdefault(row_of(self.scored, name), []).append(row)
        here = {str(name): row for row, name in enumerate(whole.columns["sample_id"])}
        names, fold = list(places), whole.columns["fold"]
        some = [names[number] for number in sample_of(len(names))]
        some.sort(key=lambda name: fold[here[name]])
        said = np.array([place for name in some for place in places[name]], dtype=np.int64)
        return whole.where(np.array([here[name] for name in some])), len(names), said

    @cached_property
    def replaced(self) -> set[str]:
        """Return the data's rows whose picture is another file than when the champion was trained."""
        if self.champion is None:
            return set()
        table = Layout(self.scored.data).trainval
        return repictured(
            self.pinned.file(table), CommitArtifacts(self.root, self.champion.commit).file(table)
        )

    @cached_property
    def compared(self) -> Paired | AssayError:
        """Return the comparison on validation rows, or why there is none."""
        try:
            if self.champion is None:
                return against_baseline(self.scored, self.rows, self.params.evaluate)
            other = self._rows_of(CommitArtifacts(self.root, self.champion.commit))
            own = [
                row
                for row, name in enumerate(self.rows.sample_ids)
                if row_of(self.scored, name) not in self.replaced
            ]
            return paired(self.scored, self.rows.at(np.array(own)), other, self.params.evaluate)
        except AssayError as fault:
            return fault

    @cached_property
    def noise(self) -> Noise | None:
        """Return what another seed alone changes, where at least three are known."""
        results = join_results(iter_lock_entries(self.root))
        for result in results:
            if result.digest == self.candidate.result:
                shown = project(result, self.pinned.cache, self.root)
                return None if shown is None else seed_noise(self.root, self.scored, shown, results)
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
