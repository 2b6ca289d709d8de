"""Where trials are kept: an SQLite file of this checkout, or a database that several machines share.

Both are Optuna's `RDBStorage`, with its heartbeat: a trial that is silent for too long was killed, and is
queued again.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

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
        storage=_open(os.environ.get(URL) or f"sqlite:///{plan.folder(root) / FILE}"),
        study_name=plan.title,
        directions=list(plan.study.objectives.values()),
        load_if_exists=True,
    )


def grace_period() -> int:
    """Return the seconds of silence after which a trial counts as killed."""
    return MISSED * _heartbeat()


def shown_url(url: str) -> str:
    """Return a database's address without its password."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    place = parts.netloc.replace(f":{parts.password}@", ":…@")
    return urlunsplit(parts._replace(netloc=place))


def _heartbeat() -> int:
    return int(os.environ.get(HEARTBEAT) or 15)


def _open(url: str) -> optuna.storages.RDBStorage:
    from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback

    wait = {"connect_args": {"timeout": LOCKED}} if url.startswith("sqlite") else {}
    try:
        return RDBStorage(
            url,
            engine_kwargs={"pool_pre_ping": True, **wait},
            heartbeat_interval=_heartbeat(),
            grace_period=grace_period(),
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
        )
    except ImportError as fault:
        mend = "uv pip install -e '.[postgresql]'"
        raise MachineError(f"storage {shown_url(url)}", str(fault), "its driver", mend) from None
    except Exception as fault:  # noqa: BLE001, SQLAlchemy's and each driver's own
        said = str(fault.__cause__ or fault).strip().splitlines()
        found = said[0] if said else type(fault).__name__
        raise MachineError(
            f"storage {shown_url(url)}", found, "a database that answers", f"unset {URL}"
        ) from None
