"""What a worker of Ray does with a job; travels by value, and so imports the standard library alone.

A worker shares no disk with its driver. It makes a working folder of what the driver sends, once a
machine and by digest, and imports `assay` from there; what is installed on the machine is never asked.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

LOG = "log.txt"


class Returned(NamedTuple):
    """What came of a job on another machine.

    Attributes:
        fault: why there is no result, or None.
        folder: the working folder there.
        files: name → content: of the result; of a fault, what was left of one.
        events: lines of the event log.
        log: what was printed.
    """

    fault: Exception | None
    folder: str
    files: dict[str, bytes]
    events: bytes
    log: bytes


def do(folder: str, digest: str, parts: Sequence[Any], call: list[Any]) -> tuple[Any, ...]:
    """Do a job in a working folder of this machine.

    Args:
        folder: takes working folders; empty: one below the system's temporary folder.
        digest: of all that the parts hold.
        parts: references of `{path: content}`.
        call: a reference of work, job, and where the store of the results lies in the working folder.

    Returns:
        the fields of `Returned`.
    """
    import ray

    with working_folder(_base(folder), digest, parts) as root:
        _enter(root)
        return tuple(_done(root, *ray.get(call[0])))


def clean(folder: str) -> None:
    """Remove the working folders of this machine that nobody works in."""
    for lock in _base(folder).glob("*.lock"):
        with lock.open("a") as stream:
            if _taken(stream, fcntl.LOCK_EX | fcntl.LOCK_NB):
                for suffix in ("", ".aside"):
                    shutil.rmtree(lock.with_suffix(suffix), ignore_errors=True)


@contextmanager
def working_folder(base: Path, digest: str, parts: Sequence[Any]) -> Iterator[Path]:
    """Make a working folder, if this machine has none of that digest; it stays as long as it is used."""
    import ray

    root = base / digest
    with root.with_suffix(".lock").open("a") as lock:
        while _taken(lock, fcntl.LOCK_SH) and not root.exists():
            if _taken(lock, fcntl.LOCK_EX) and not root.exists():
                aside = root.with_suffix(".aside")  # half, where somebody was killed
                shutil.rmtree(aside, ignore_errors=True)
                for part in parts:
                    _write(aside, ray.get(part))
                aside.rename(root)
        yield root


def _write(root: Path, files: Mapping[str, Any]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _base(folder: str) -> Path:
    """Return the folder of working folders, which is its owner's alone: they hold patients' data."""
    base = Path(folder or f"{tempfile.gettempdir()}/assay-{os.getuid()}")
    base.mkdir(mode=0o700, exist_ok=True)
    if base.stat().st_uid != os.getuid():
        raise PermissionError(f"{base} is somebody else's")
    return base


def _taken(stream: IO[str], how: int) -> bool:
    """Take a lock, in place of one that is held: nobody who waits holds another up."""
    try:
        fcntl.flock(stream, how)
    except BlockingIOError:
        return False
    return True


def _enter(root: Path) -> None:
    """Make this process, and those that it starts, one of the working folder."""
    source = str(root / "src")
    os.chdir(root)
    os.environ.update(DVC_ROOT=str(root), PYTHONPATH=source)
    if source not in sys.path:
        sys.path.insert(0, source)


def _done(root: Path, work: Any, job: Any, place: Path) -> Returned:
    from assay.errors import AssayError
    from assay.jobs.store import JobStore
    from assay.runs.events import events_path
    from assay.runs.record import VERDICT

    store, fault = JobStore(root, place), None
    log, events = store.folder(job) / LOG, events_path(root, job.stage, job.key)
    log.parent.mkdir(parents=True, exist_ok=True)
    with _printed(log):
        try:
            _work(root, work, job, store)
        except Exception as found:  # noqa: BLE001, a library's, or ours: the log has it whole
            traceback.print_exc()
            said = f"{type(found).__name__}: {found}"
            fault = found if isinstance(found, AssayError) else RuntimeError(said)
    result = store.result(job)
    left = sorted(result.iterdir()) if result else [store.half(job) / VERDICT]
    files = {path.name: path.read_bytes() for path in left if path.exists()}
    told = events.read_bytes() if events.exists() else b""
    returned = Returned(fault, str(root), files, told, log.read_bytes())
    events.unlink(missing_ok=True)
    store.forget(job)
    return returned


def _work(root: Path, work: Any, job: Any, store: Any) -> None:
    """Do the job by the code and in the environment that its digest stands for."""
    import assay
    from assay.code.declared import Declared
    from assay.code.write import TRAINING, code_file
    from assay.errors import MachineError

    if not assay.__file__ or Path(assay.__file__).parents[1] != root / "src":
        raise MachineError("code", f"assay is imported from {assay.__file__}", f"below {root}")
    training = f"{TRAINING}@{job.task}"  # of a grid; a stage that is one has a file of its own
    declared = Declared.read(training if str(code_file(training)) in job.inputs else job.stage)
    declared.ensure_same()
    if wrong := _wrong_versions(declared.distributions):
        where, expected = f"a worker of Ray, {sys.executable}", "what requirements.lock pins"
        raise MachineError(where, wrong, expected, "the same environment on every node")
    with declared.enforced():
        work(job, store)


def _wrong_versions(declared: Mapping[str, str]) -> str:
    """Return what is installed here in another version; what is not installed is told by an import."""
    from importlib.metadata import PackageNotFoundError, version

    wrong = []
    for name, pinned in declared.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        if found.partition("+")[0] != pinned.partition("+")[0]:
            wrong.append(f"{name} {found} (locked: {pinned})")
    return ", ".join(wrong)


@contextmanager
def _printed(path: Path) -> Iterator[None]:
    """Send what this process prints into a file."""
    kept = os.dup(1), os.dup(2)
    with path.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    try:
        yield
    finally:
        for number, own in enumerate(kept, start=1):
            getattr(sys, ("stdout", "stderr")[number - 1]).flush()
            os.dup2(own, number)
            os.close(own)
