"""A worker: a process that runs `study.optimize` until the study has its trials.

It dies with the search that started it. Its working folder is the repository's root.
"""

from __future__ import annotations

import contextlib
import os
import socket
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import AssayError, MachineError
from assay.runs.files import content_digest
from assay.runs.parent import die_with_parent
from assay.search.objective import REASON, TakenForDeadError, TrialContext
from assay.search.plan import read_plan
from assay.search.space import make_pruner, make_sampler
from assay.search.storage import URL, open_study

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import optuna
    from optuna.trial import FrozenTrial

    from assay.search.plan import StudyPlan

COUNTED = ("COMPLETE", "PRUNED", "RUNNING")  # against the budget
GAVE_UP = 3  # exit code of a worker that has sent an error
FAILED = 3  # trials in a row, and the study ends: that is no unlucky draw


def run_worker(folder: Path, wanted: int, number: int, parent: int, errors: Connection) -> None:
    """Do a worker's work in a process of its own: with a log, deaf to Ctrl-C, dead with its parent.

    Args:
        folder: of the study.
        wanted: trials, in all.
        number: of the worker.
        parent: the process of the search.
        errors: takes why the worker gave up.
    """
    die_with_parent()
    os.setsid()
    if os.getppid() != parent:  # it died while this process was starting
        os._exit(1)
    log = folder / f"worker-{number}.log"
    with log.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    try:
        work(folder, wanted, number)
    except Exception as fault:  # noqa: BLE001, a library's, or ours: the log has it whole
        traceback.print_exc()
        found = f"{type(fault).__name__}: {fault}"
        told = MachineError(f"worker {number}", found, mend=f"see {log}")
        errors.send(fault if isinstance(fault, AssayError) else told)
        raise SystemExit(GAVE_UP) from None


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
    while has_room(study, wanted):
        with contextlib.suppress(TakenForDeadError):
            study.optimize(
                context.objective,
                catch=(Exception,),  # a failed trial; its reason is with it
                callbacks=[
                    refuse,
                    MaxTrialsCallback(wanted, [TrialState[name] for name in COUNTED]),
                ],
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
    last = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished()][-FAILED:]
    reasons = [
        t.user_attrs[REASON] for t in last if t.state.name == "FAIL" and REASON in t.user_attrs
    ]
    if len(reasons) == FAILED:
        raise AssayError(
            f"search {plan.title}",
            f"{FAILED} trials in a row failed; the last: {reasons[-1]}",
            mend="narrow the space, or run one by hand: dvc exp run -S …",
        )
