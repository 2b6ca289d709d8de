"""Where trials are kept: an SQLite file of this checkout, or a database that several machines share.

Both are Optuna's `RDBStorage`, with its heartbeat: a trial that is silent for too long was killed, and is
queued again.
"""

from __future__ import annotations

import os
import warnings
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import MachineError

if TYPE_CHECKING:
    import optuna

    from assay.search.plan import StudyPlan

URL = "ASSAY_SEARCH_STORAGE"  # which database; empty: the file
HEARTBEAT = "ASSAY_SEARCH_HEARTBEAT"  # seconds between a trial's heartbeats
MISSED = 4  # heartbeats, and the trial counts as killed
RETRIES = 3  # of a killed trial; then it has failed: what kills its worker would do so for ever
LOCKED = 60  # seconds that a worker waits for another's transaction
FILE = "study.db"
BEATS = "beats"  # a trial's number, as its user attribute, once it has given a heartbeat


def open_study(plan: StudyPlan, root: Path) -> optuna.Study:
    """Return the study in its storage; made where it is absent.

    Raises:
        MachineError: the database does not answer.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    plan.folder(root).mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        storage=_open(os.environ.get(URL, ""), plan.folder(root) / FILE),
        study_name=plan.title,
        directions=list(plan.study.objectives.values()),
        load_if_exists=True,
    )


def give_heartbeat(trial: optuna.Trial) -> None:
    """Give a trial's first heartbeat at once; Optuna's thread does so while the trial runs already."""
    trial.storage.record_heartbeat(trial._trial_id)  # type: ignore[attr-defined] # noqa: SLF001
    trial.set_user_attr(BEATS, trial.number)


def queue_killed(study: optuna.Study, *, is_alone: bool = False) -> None:
    """Queue the killed trials again; those without any heartbeat too, which Optuna lets run for ever.

    Args:
        study: Optuna's.
        is_alone: nobody else is at work on the study, so that whatever runs was killed.
    """
    import optuna

    optuna.storages.fail_stale_trials(study)
    for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
        assert trial.datetime_start is not None
        age = (datetime.now() - trial.datetime_start).total_seconds()  # noqa: DTZ005, as Optuna's
        is_silent = trial.user_attrs.get(BEATS) != trial.number and age > grace_period()
        if is_alone or is_silent:
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            optuna.storages.RetryHeartbeatStaleTrialCallback(RETRIES)(study, trial)


def grace_period() -> int:
    """Return the seconds of silence after which a trial counts as killed."""
    return MISSED * _heartbeat()


def _heartbeat() -> int:
    return int(os.environ.get(HEARTBEAT) or 15)


def _open(url: str, file: Path) -> optuna.storages.RDBStorage:
    from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback

    where = f"storage {URL if url else file}"  # the address may hold a password
    try:
        return RDBStorage(
            url or f"sqlite:///{file}",
            engine_kwargs={"pool_pre_ping": True} if url else {"connect_args": {"timeout": LOCKED}},
            heartbeat_interval=_heartbeat(),
            grace_period=grace_period(),
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
        )
    except ImportError as fault:
        mend = "uv pip install -e '.[postgresql]'"
        raise MachineError(where, str(fault), "its driver", mend) from None
    except Exception as fault:  # noqa: BLE001, SQLAlchemy's and each driver's own
        said = str(fault.__cause__ or fault).strip().splitlines() or [type(fault).__name__]
        mend = (
            f"unset {URL}"
            if url
            else f"mv {file} {file}.damaged, then the same command: it begins anew"
        )
        raise MachineError(where, said[0], "a database that answers", mend) from None
