"""The columns of what fusion predicts: the ensembles, their finalists, the single-modality models.

A look at the sealed set asks for all of them at once, so that none is asked for after another was seen.
"""

from __future__ import annotations

ANSWER = "answer"  # the ensemble of the version that counts
VERSIONS = ("w_demo", "wo_demo")  # with demographics, without
PHASES = (1, 2)
CRITERIA = ("mae", "r2")  # lowest, highest
SINGLES = ("nail", "conjunctiva")


def version_of(demographics: bool) -> str:
    """Return the version that sees demographics, or the one that does not."""
    return VERSIONS[0 if demographics else 1]


def finalist_column(version: str, phase: int, criterion: str) -> str:
    """Return the column of a finalist, e.g. `w_demo_p1_mae`."""
    return f"{version}_p{phase}_{criterion}"


FINALISTS = tuple(
    finalist_column(version, phase, criterion)
    for version in VERSIONS
    for phase in PHASES
    for criterion in CRITERIA
)
COLUMNS = (ANSWER, *VERSIONS, *FINALISTS, *SINGLES)


def column_place(name: str) -> int:
    """Return where a column stands in the predictions (n, 13)."""
    return COLUMNS.index(name)
