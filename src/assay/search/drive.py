"""The driver: starts workers, says what they found and how long it will take, replaces killed ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import AssayError, MachineError
from assay.runs.lock import held
from assay.search.outcome import outcome
from assay.search.turns import retry_killed

if TYPE_CHECKING:
    from assay.search.outcome import Outcome, Tried
    from assay.search.storage import Store

POLL = 0.3  # seconds
REPLACED = 10  # workers, and the machine is to blame


@dataclass
class Progress:
    """Says each ended trial once, with the best so far and the time left."""

    wanted: int
    workers: int
    say: Callable[[str], None]
    told: set[int] = field(default_factory=set)
    seconds: list[float] = field(default_factory=list)

    def __call__(self, found: Outcome) -> bool:
        """Say what is new; return whether anything is."""
        news = [trial for trial in found.tried if trial.number not in self.told]
        for trial in news:
            self.told.add(trial.number)
            if trial.repeats is None:
                self.seconds.append(trial.seconds)
            self.say(self.line(found, trial))
        return bool(news)

    def skip(self, found: Outcome) -> None:
        """Take what is known from before; only its time counts."""
        self.told |= {trial.number for trial in found.tried}
        self.seconds += [trial.seconds for trial in found.tried if trial.repeats is None]

    def line(self, found: Outcome, trial: Tried) -> str:
        """Return one trial as a line."""
        more = f" after {len(trial.curve)} epochs" if trial.state == "pruned" else ""
        more = f", as trial {trial.repeats}" if trial.repeats is not None else more
        more = f": {trial.reason.partition(chr(10))[0]}" if trial.reason else more
        done = f"[{len(self.told)}/{self.wanted}] trial {trial.number}: {found.shown(trial)}{more}"
        return f"{done} · {found.best_line()}{self._left()}"

    def _left(self) -> str:
        left = self.wanted - len(self.told)
        if left <= 0 or not self.seconds:
            return ""
        mean = sum(self.seconds) / len(self.seconds)
        return f" · {mean:.0f} s a trial, {_duration(mean * left / min(self.workers, left))} left"


def drive(
    store: Store, root: Path, wanted: int, workers: int, say: Callable[[str], None],
    news: Callable[[], None],
) -> Outcome:  # fmt: skip
    """Run the study until `wanted` trials have ended; return what came of it.

    Args:
        store: the study.
        root: the repository's root, where workers work.
        wanted: trials, with those that ended before.
        workers: processes.
        say: takes each line of progress.
        news: is called when trials have ended.

    Raises:
        AssayError: a worker gave up; its reason.
    """
    progress = Progress(wanted, workers, say)
    before = outcome(store.plan, store.trials())
    progress.skip(before)
    if before.tried:
        say(f"{len(before.tried)} of {wanted} trials known already · {before.best_line()}")
    if len(before.tried) >= wanted:
        return before
    crew = Crew(store.folder, root, wanted)
    try:
        for number in range(workers):
            crew.start(number)
        while crew.tend() or _half_left(store, wanted, crew):
            if progress(outcome(store.plan, store.trials())):
                news()
            time.sleep(POLL)
    finally:
        crew.end()
    found = outcome(store.plan, store.trials())
    if progress(found):
        news()
    return found


def _half_left(store: Store, wanted: int, crew: Crew) -> bool:
    """Return whether trials are half, though no worker is at work; start one when it may repeat them.

    A killed worker's trial in a database counts as killed only after a time of silence. Those of other
    machines are waited for.
    """
    found = outcome(store.plan, store.trials())
    if len(found.tried) >= wanted or not found.waiting:
        return False
    with held(store.folder / "turn.lock", "a worker asks; waiting"):
        retry_killed(store)
    if any(trial.state.name == "WAITING" for trial in store.trials()):
        crew.start(0)
    return True


class Crew:
    """The workers' processes."""

    def __init__(self, folder: Path, root: Path, wanted: int) -> None:
        self.folder, self.root, self.wanted = folder, root, wanted
        self.alive: dict[int, subprocess.Popen[bytes]] = {}
        self.replaced = 0

    def start(self, number: int) -> None:
        """Start a worker; it dies with this process, however that comes about."""
        asked = [str(self.folder), str(self.wanted), str(os.getpid())]
        command = [sys.executable, "-m", "assay.search.work", *asked]
        # A stage's own guard: the code of this checkout, whichever is installed.
        package = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
        with self._log(number).open("ab") as stream:
            self.alive[number] = subprocess.Popen(
                command, cwd=self.root, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # Ctrl-C is for the driver; they die with it
            )  # fmt: skip

    def tend(self) -> bool:
        """Replace killed workers; return whether any is at work."""
        for number, process in list(self.alive.items()):
            code = process.poll()
            if code is None:
                continue
            del self.alive[number]
            if code < 0:
                self._replace(number, -code)
            elif code > 0:
                raise self._refusal(number)
        return bool(self.alive)

    def end(self) -> None:
        """Kill who is left."""
        for process in self.alive.values():
            process.kill()
            process.wait()

    def _replace(self, number: int, signal: int) -> None:
        self.replaced += 1
        if self.replaced > REPLACED:
            raise MachineError(
                f"worker {number}", f"killed by signal {signal}, as {REPLACED} before it",
                "memory for each worker", "fewer --workers; dmesg names what the kernel killed",
            )  # fmt: skip
        self.start(number)

    def _refusal(self, number: int) -> AssayError:
        """Return a worker's own words."""
        path = self._log(number)
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        starts = [index for index, line in enumerate(lines) if line.startswith("error: ")]
        said = lines[starts[-1] :] if starts else lines[-8:]
        found = "\n".join(said).removeprefix("error: ")
        return AssayError(f"worker {number}", found, mend=f"see {path}")

    def _log(self, number: int) -> Path:
        return self.folder / f"worker-{number}.log"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
