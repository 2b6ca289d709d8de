"""A worker: a process that runs `study.optimize` until the study has its trials.

    python -m assay.search.worker <folder of the study> <trials> <number of the worker> <parent process>

It dies with the search that started it. Its working folder is the repository's root.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import AssayError
from assay.runs.files import content_digest
from assay.runs.parent import die_with_parent
from assay.search.objective import TrialContext
from assay.search.plan import read_plan
from assay.search.results import read_results, reason, state_of
from assay.search.space import make_pruner, make_sampler
from assay.search.storage import URL, open_study

if TYPE_CHECKING:
    from datetime import datetime

    import optuna
    from optuna.trial import FrozenTrial

    from assay.search.plan import StudyPlan

COUNTED = ("COMPLETE", "PRUNED", "RUNNING")  # against the budget
FAILED = 3  # trials in a row, and the study ends: that is no unlucky draw


def work(folder: Path, wanted: int, number: int = 0) -> None:
    """Run trials while the study has fewer than `wanted` that are complete, pruned or running.

    Raises:
        AssayError: the code was edited, or nothing can come of this study; the last reason is given.
    """
    from optuna.study import MaxTrialsCallback
    from optuna.trial import TrialState

    plan, root = read_plan(folder), Path.cwd()
    study = open_study(plan, root)
    study.sampler = make_sampler(plan.study, _seed(plan, number, len(study.trials)))
    study.pruner = make_pruner(plan.study)
    context = TrialContext.read(plan, root)

    def refuse(study: optuna.Study, _: FrozenTrial) -> None:
        context.code.ensure_same()
        _refuse_failing(plan, study)

    context.code.ensure_same()
    if has_room(study, wanted):
        study.optimize(
            context.objective,
            catch=(Exception,),  # a failed trial; its reason is with it
            callbacks=[refuse, MaxTrialsCallback(wanted, [TrialState[name] for name in COUNTED])],
        )


def has_room(study: optuna.Study, wanted: int) -> bool:
    """Return whether a worker would find a trial to run: neither budget nor grid is spent."""
    from optuna.samplers import GridSampler

    states = [trial.state.name for trial in study.get_trials(deepcopy=False)]
    sampler = study.sampler
    is_exhausted = isinstance(sampler, GridSampler) and sampler.is_exhausted(study)
    spent = sum(map(states.count, COUNTED))
    return spent < wanted and ("WAITING" in states or not is_exhausted)


def _seed(plan: StudyPlan, number: int, trials: int) -> int:
    """Return a seed of this worker, now: with equal seeds, two would draw the same values."""
    machine = socket.gethostname() if os.environ.get(URL) else ""
    return int(content_digest([plan.study.seed, machine, number, trials], 8), 16)


def _refuse_failing(plan: StudyPlan, study: optuna.Study) -> None:
    last = sorted(read_results(plan, study).trials, key=_end)[-FAILED:]
    if len(last) == FAILED and all(state_of(trial) == "failed" for trial in last):
        raise AssayError(
            f"search {plan.title}",
            f"{FAILED} trials in a row failed; the last: {reason(last[-1])}",
            mend="narrow the space, or run one by hand: dvc exp run -S …",
        )


def _end(trial: FrozenTrial) -> datetime:
    assert trial.datetime_complete is not None
    return trial.datetime_complete


if __name__ == "__main__":
    die_with_parent()
    folder, wanted, number, parent = sys.argv[1:]
    if os.getppid() != int(parent):  # it died while this process was starting
        raise SystemExit(1)
    try:
        work(Path(folder), int(wanted), int(number))
    except AssayError as error:
        print(error.render(), flush=True)
        raise SystemExit(1) from None
