"""Which configurations become finalists, by what they say of rows that they were not trained on.

`out_of_fold` is the rule. `fold` is the founding one, kept to be shown: it takes single fold models by
their own fold, so that the rows of one are training rows of the other, and the best of 250 is of a few
patients each. Nothing here is handed a row of the external test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from assay.errors import AssayError
from assay.learning.scores import regression_rank
from assay.systems.hemoglobin.ensemble.column_scores import by_column, column_scores
from assay.systems.hemoglobin.ensemble.columns import CRITERIA, PHASES, VERSIONS, finalist_column

if TYPE_CHECKING:
    from assay.systems.hemoglobin.ensemble.column_scores import Numbers


@dataclass(frozen=True)
class Configuration:
    """One network of the grid, trained once a fold.

    Attributes:
        phase: 1 (last layers) or 2 (four levels).
        nail: its backbone, by timm's name.
        conjunctiva: its backbone.
        version: `w_demo` or `wo_demo`.
    """

    phase: int
    nail: str
    conjunctiva: str
    version: str

    @property
    def name(self) -> str:
        """Return e.g. `p1-convnext_tiny.in12k-resnetaa50d.sw_in12k-w_demo`."""
        return f"p{self.phase}-{self.nail}-{self.conjunctiva}-{self.version}"

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the configuration of a name; timm's names have no hyphen."""
        phase, nail, conjunctiva, version = name.split("-")
        return cls(int(phase.removeprefix("p")), nail, conjunctiva, version)


def finalists(
    said: Numbers, labels: Numbers, configurations: Sequence[Configuration]
) -> dict[str, int]:
    """Return column → configuration: of each version and phase the lowest MAE and the highest R².

    Ties are broken by the rest of the epoch rule, then by name. One that is chosen twice fills both
    columns.

    Args:
        said: (configurations, rows) out of fold, in g/dL.
        labels: (rows,) in g/dL.
        configurations: of the grid.

    Raises:
        AssayError: one says nothing of some row: its errors are of other rows than the others'.
    """
    _ensure_whole(said, [each.name for each in configurations])
    return _chosen(by_column(column_scores(said, labels)), configurations)


def fold_finalists(
    said: Numbers,
    labels: Numbers,
    folds: npt.NDArray[np.integer],
    configurations: Sequence[Configuration],
) -> dict[str, tuple[int, int]]:
    """Return column → (configuration, fold) by the founding rule: each fold model on its own fold.

    Args:
        said: (configurations, folds, rows) what each fold model says of all rows, most of which
            trained it.
        labels: (rows,) in g/dL.
        folds: (rows,) in which each row validates.
        configurations: of the grid.
    """
    scores, of, which = [], [], []
    for fold in range(said.shape[1]):
        own = folds == fold
        scores += by_column(column_scores(said[:, fold, own], labels[own]))
        of += list(configurations)
        which += [(place, fold) for place in range(len(configurations))]
    return {column: which[place] for column, place in _chosen(scores, of).items()}


def members(chosen: Mapping[str, int], version: str) -> list[int]:
    """Return the finalists of a version, each once, in the order of the grid."""
    return sorted({place for name, place in chosen.items() if name.startswith(f"{version}_")})


def without_r2(
    said: Numbers, labels: Numbers, configurations: Sequence[Configuration]
) -> list[str]:
    """Return a line for each phase and version in which no configuration has R² > 0: all compete."""
    r2 = column_scores(said, labels)["r2"]
    return [
        f"{version}, phase {phase}: no configuration of {len(own)} has R² > 0; all are candidates"
        for (version, phase), own in _parts(configurations).items()
        if not (r2[own] > 0).any()
    ]


def _chosen(scores: Sequence[Mapping[str, float]], of: Sequence[Configuration]) -> dict[str, int]:
    """Return column → place of the best of those that may fill it."""

    def key(place: int, criterion: str) -> tuple[float | str, ...]:
        own = scores[place]
        r2 = own["r2"] if own["r2"] == own["r2"] else -np.inf
        first = (-r2,) if criterion == "r2" else ()
        return (*first, *regression_rank(own), of[place].name, place)

    return {
        finalist_column(version, phase, criterion): min(own, key=partial(key, criterion=criterion))
        for (version, phase), own in _parts(of).items()
        for criterion in CRITERIA
    }


def _parts(of: Sequence[Configuration]) -> dict[tuple[str, int], list[int]]:
    """Return the places of each version and phase that there is."""
    parts = {
        (version, phase): [
            place for place, each in enumerate(of) if (each.version, each.phase) == (version, phase)
        ]
        for version in VERSIONS
        for phase in PHASES
    }
    return {part: own for part, own in parts.items() if own}


def _ensure_whole(said: Numbers, names: Sequence[str]) -> None:
    lost = (~np.isfinite(said)).sum(axis=1)
    faults = [f"{name} ({count} rows)" for name, count in zip(names, lost, strict=True) if count]
    if faults:
        found = f"no number of {len(faults)} of {len(names)} configurations, e.g. {faults[0]}"
        expected = "a number of every configuration for every out-of-fold row"
        raise AssayError("selection", found, expected, "lower its learning rates")
