"""Where trials are kept: a journal file of this machine, or a database that several machines share."""

from __future__ import annotations

import fcntl
import os
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, TextIO
from urllib.parse import urlsplit, urlunsplit

from assay.errors import MachineError

if TYPE_CHECKING:
    import optuna
    from optuna.storages import RDBStorage

    from assay.search.plan import StudyPlan

URL = "ASSAY_SEARCH_STORAGE"  # which database; empty: the journal file
HEARTBEAT = "ASSAY_SEARCH_HEARTBEAT"  # seconds between a trial's signs of life in a database
BEATS = 4  # missed, and the trial counts as killed
RETRIES = 3  # of a killed trial; then it has failed: what kills its worker would do so for ever


class Store:
    """One study in its storage.

    Attributes:
        plan: the study.
        folder: of it on this machine.
        study: Optuna's.
        database: the storage where it is one; it keeps count of signs of life.
    """

    def __init__(self, plan: StudyPlan, root: Path) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self.plan, self.folder = plan, plan.folder(root)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.database = _open_database(os.environ[URL]) if os.environ.get(URL) else None
        self.study: optuna.Study = optuna.create_study(
            storage=self.database or _open_journal(self.folder / "journal.log"),
            study_name=plan.title,
            directions=list(plan.study.objectives.values()),
            load_if_exists=True,
        )

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """Return every trial, in the order of their numbers."""
        return self.study.get_trials(deepcopy=False)

    @contextmanager
    def beating(self, trial: optuna.Trial) -> Iterator[None]:
        """Give signs of life of a trial to the database; a journal's workers hold a lock instead."""
        if self.database is None:
            yield
            return
        number, done = trial._trial_id, Event()  # noqa: SLF001, Optuna's own heartbeat takes it too
        self.database.record_heartbeat(number)
        thread = Thread(target=_beat, args=(self.database, number, done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


class Badge:
    """What a worker holds while it lives: a lock of its own, which the kernel frees at its death."""

    def __init__(self, folder: Path) -> None:
        self.name = uuid.uuid4().hex[:12]
        self._stream = _locked(_badge_path(folder, self.name))
        assert self._stream is not None


def lives(folder: Path, badge: str) -> bool:
    """Return whether the worker of that badge is alive on this machine."""
    path = _badge_path(folder, badge)
    stream = _locked(path)
    if stream is None:
        return True
    path.unlink(missing_ok=True)
    stream.close()
    return False


def shown_url(url: str) -> str:
    """Return a database's address without its password."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    place = parts.netloc.replace(f":{parts.password}@", ":…@")
    return urlunsplit(parts._replace(netloc=place))


def _badge_path(folder: Path, name: str) -> Path:
    return folder / "workers" / f"{name}.lock"


def _locked(path: Path) -> TextIO | None:
    """Return the open file with its lock, or None where another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    return stream


def _open_journal(path: Path) -> optuna.storages.JournalStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    class KernelLock(JournalFileOpenLock):
        """A lock that dies with its holder: Optuna's own outlives it, and stops all for 30 s."""

        def __init__(self) -> None:
            self._stream: TextIO | None = None

        def acquire(self) -> bool:
            """Wait for the lock; then cut off a line that a power cut tore."""
            self._stream = path.with_suffix(".lock").open("a+", encoding="utf-8")
            fcntl.flock(self._stream, fcntl.LOCK_EX)
            _cut_torn_line(path)
            return True

        def release(self) -> None:
            """Free it."""
            assert self._stream is not None
            self._stream.close()

    return JournalStorage(JournalFileBackend(str(path), KernelLock()))


def _cut_torn_line(path: Path) -> None:
    with path.open("rb+") as stream:
        size = stream.seek(0, os.SEEK_END)
        if size == 0:
            return
        stream.seek(size - 1)
        if stream.read(1) != b"\n":
            content = path.read_bytes()
            stream.truncate(content.rfind(b"\n") + 1)


def _open_database(url: str) -> RDBStorage:
    from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback

    beat = int(os.environ.get(HEARTBEAT) or 15)
    try:
        return RDBStorage(
            url,
            engine_kwargs={"pool_pre_ping": True},
            heartbeat_interval=beat,
            grace_period=BEATS * beat,
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


def _beat(database: RDBStorage, trial: int, done: Event) -> None:
    import contextlib

    while not done.wait(database.get_heartbeat_interval()):
        with contextlib.suppress(Exception):  # the database is away for a moment: the next one
            database.record_heartbeat(trial)
