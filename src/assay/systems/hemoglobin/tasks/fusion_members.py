"""The members of a fusion model: which trainings of the grid fill which column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.contract.bundle import read_bundle
from assay.jobs.grid import out_of_fold
from assay.systems.hemoglobin.ensemble.columns import VERSIONS, version_of
from assay.systems.hemoglobin.ensemble.selection import (
    Configuration,
    finalists,
    fold_finalists,
    without_r2,
)
from assay.systems.hemoglobin.tasks.fusion_grid import member_params
from assay.systems.hemoglobin.tasks.fusion_member import MEMBER
from assay.systems.hemoglobin.tasks.fusion_params import FOLD, configurations

if TYPE_CHECKING:
    from assay.contract.grid import Results
    from assay.manifest.rows import Rows

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Member:
    """One finalist.

    Attributes:
        configuration: its name.
        model: its section `model`.
        fold: of the only training that counts, by the founding rule; None: of each fold its own.
    """

    configuration: str
    model: Mapping[str, Any]
    fold: int | None = None

    @property
    def name(self) -> str:
        """Return what it is called among the members."""
        return (
            self.configuration if self.fold is None else f"{self.configuration}, fold {self.fold}"
        )

    def training(self, fold: int) -> tuple[str, int]:
        """Return its training in the model of a fold."""
        return self.configuration, fold if self.fold is None else self.fold


@dataclass(frozen=True)
class Chosen:
    """What a model is made of.

    Attributes:
        members: each once.
        columns: column → its member's place.
        folds: that were trained.
        compared: how many were chosen from.
        remarks: where none has R² > 0.
    """

    members: Sequence[Member]
    columns: Mapping[str, int]
    folds: Sequence[int]
    compared: int
    remarks: Sequence[str]

    @property
    def trainings(self) -> list[tuple[str, int]]:
        """Return the trainings whose weights it needs, each once."""
        every = (each.training(fold) for each in self.members for fold in self.folds)
        return list(dict.fromkeys(every))


def choose_members(results: Results, rows: Rows, section: Mapping[str, Any]) -> Chosen:
    """Return the finalists, by the rule that the section names; see `selection`."""
    sections = configurations(section)
    said, labels = out_of_fold(results, rows), MEMBER.labels(rows)[:, 0]
    of = [_configuration(each["model"]) for each in sections.values()]
    folds = sorted({fold for _, fold in results})
    filled: dict[str, tuple[int, int | None]]
    if section["model"]["select"]["selection"] == FOLD:
        which = rows.columns["fold"].astype(np.int64)
        each = np.stack([np.where(which == fold, said, np.nan) for fold in folds], axis=1)
        best = fold_finalists(each, labels, which, of)
        filled = {column: (place, folds[fold]) for column, (place, fold) in best.items()}
    else:
        filled = {column: (place, None) for column, place in finalists(said, labels, of).items()}
    members, own = list(dict.fromkeys(filled.values())), list(sections.items())
    return Chosen(
        [Member(own[at][0], own[at][1]["model"], fold) for at, fold in members],
        {column: members.index(each) for column, each in filled.items()}, folds,
        _compared(of, len(folds) if section["model"]["select"]["selection"] == FOLD else 1),
        without_r2(said, labels, of),
    )  # fmt: skip


def _compared(of: Sequence[Configuration], each: int) -> int:
    """Return how many were compared for the version that answers."""
    first = next(version for version in VERSIONS if any(one.version == version for one in of))
    return each * sum(one.version == first for one in of)


def said_by(
    chosen: Chosen, results: Results, rows: Rows, section: Mapping[str, Any], epoch: str = "best"
) -> Numbers:
    """Return what each member says of rows (members, n): out of fold; by the founding rule of all rows.

    Most of those trained the one model that is asked then, which is why the claim check refuses it.
    `epoch` is the best, or the last of what is out of fold.
    """
    names, kept = list(configurations(section)), out_of_fold(results, rows, epoch)
    return np.stack([
        kept[names.index(each.configuration)] if each.fold is None
        else _asked(each, results, rows, configurations(section)[each.configuration])
        for each in chosen.members
    ])  # fmt: skip


def _asked(member: Member, results: Results, rows: Rows, section: Mapping[str, Any]) -> Numbers:
    bundle = read_bundle(results[member.training(0)])
    said = MEMBER.predictor(bundle, member_params(section))(rows)
    return said[:, 0].astype(np.float64)


def _configuration(model: Mapping[str, Any]) -> Configuration:
    version = version_of(model["demographics"])
    return Configuration(model["phase"], model["nail"], model["conjunctiva"], version)
