"""What is said of many jobs: by their driver, in a log and on a terminal; and by the verb `jobs`."""

from __future__ import annotations

import io
import json
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from assay.__main__ import cli
from assay.errors import AssayError, MachineError
from assay.jobs.display import Best, Tally, time_left
from assay.jobs.driver import run_jobs
from assay.jobs.executor import Ended, InProcess
from assay.jobs.job import Job, jobs_of
from assay.jobs.outcome import Outcome
from assay.jobs.progress import JobProgress, best_of
from assay.jobs.store import JobStore
from assay.lookup import find_task
from assay.runs.events import BEGUN, events_path
from assay.runs.files import write_json
from assay.runs.record import RECORD

TOY = "toy-level"
EPOCHS = 10
MAE = {0: 0.5, 1: 0.44, 2: 0.48, 3: float("nan"), 4: 0.6}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def store(root: Path) -> JobStore:
    return JobStore(root)


def jobs(count: int = 5) -> list[Job]:
    return jobs_of(TOY, {"model": {}, "train": {"epochs": EPOCHS}}, {}, range(count))


def put(job: Job, store: JobStore) -> None:
    """Leave a job's result."""
    half = store.half(job)
    half.mkdir(parents=True)
    write_json(half / RECORD, {"chosen": {"epoch": 3, "mae": MAE[job.fold]}})
    store.put(job, half)


def trained(job: Job, store: JobStore, epochs: int, begun: float, each: float = 2.0) -> None:
    """Leave the events of a training, `each` seconds an epoch."""
    path = events_path(store.root, job.stage, job.key)
    rows = [{"event": "epoch", "time": begun + each * (n + 1), "epoch": n, "mae": 1 / (n + 1)}
            for n in range(epochs)]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        for row in [{"event": BEGUN, "time": begun, "goes_on": False}, *rows]:
            stream.write(json.dumps(row) + "\n")


class Told:
    """A progress with a clock of its own, and what it has said."""

    def __init__(
        self, store: JobStore, asked: list[Job], slots: int, terminal: bool = False
    ) -> None:
        self.now, self.stream = 1000.0, io.StringIO()
        console = Console(file=self.stream, force_terminal=terminal, width=120, color_system=None)
        self.progress = JobProgress(
            find_task(TOY), asked, store, slots, console, clock=lambda: self.now
        )

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def test_each_that_ends_is_a_line_with_all_that_is_known(store: JobStore) -> None:
    asked = jobs()
    put(asked[0], store)
    told = Told(store, asked, 2)
    with told.progress as progress:
        progress.end(Outcome(asked[0], store.result(asked[0])))  # known: the first line has it
        progress.begin(asked[1])
        progress.begin(asked[2])
        told.now += 12
        put(asked[1], store)
        progress.end(Outcome(asked[1], store.result(asked[1])))
        progress.begin(asked[3])
        killed = MachineError("job", "its process was killed by signal 9", mend="see its log")
        progress.again(Ended(asked[2], killed, was_killed=True))
        progress.elsewhere(asked[4], "77")
        progress.elsewhere(asked[4], "77")
        progress.begin(asked[2])
        put(asked[3], store)
        progress.end(Outcome(asked[3], store.result(asked[3])))
        progress.end(Outcome(asked[2], None, AssayError("rows", "no")))
        told.now += 12
        put(asked[4], store)
        progress.end(Outcome(asked[4], store.result(asked[4])))
    best = "best mae 0.44 (fold 1)"
    assert told.lines == [
        "1 of 5 folds known already · best mae 0.5 (fold 0)",
        "[2/5] fold 1: mae 0.44 · 2 running, 0 failed · best mae 0.44 (fold 1) · 12 s a fold, 12 s left",
        "fold 2 was killed, goes on: job: its process was killed by signal 9",
        "fold 4 runs elsewhere, process 77",
        "[3/5] fold 3: mae nan · 2 running, 0 failed · best mae 0.44 (fold 1) · 6 s a fold, 6 s left",
        f"[3/5] fold 2: failed: rows: no · 1 running, 1 failed · {best} · 4 s a fold, 4 s left",
        "[4/5] fold 4: mae 0.6 · 0 running, 1 failed · best mae 0.44 (fold 1) · 4 s a fold",
    ]


def test_a_driver_tells_what_it_does(store: JobStore) -> None:
    """No failure is told twice, and none that is final as one that is tried again."""

    def work(job: Job, store: JobStore) -> None:
        if job.fold == 1 and not store.failures(job):
            raise ValueError("once\nand why")
        if job.fold == 2:
            raise AssayError("fold 2", "never")
        put(job, store)

    asked = jobs(3)
    told = Told(store, asked, 1)
    run_jobs(asked, InProcess(work, store), store, told.progress)
    assert [line.partition(" · ")[0] for line in told.lines] == [
        "[1/3] fold 0: mae 0.5",
        "fold 1 failed, is tried again: once",
        "[1/3] fold 2: failed: fold 2: never",
        "[2/3] fold 1: mae 0.44",
    ]
    told = Told(store, asked[:2], 1)
    run_jobs(asked[:2], InProcess(work, store), store, told.progress)
    assert told.lines == ["2 of 2 folds known already · best mae 0.44 (fold 1)"]


def test_one_job_alone_says_nothing_but_who_has_it(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = jobs(1)
    told, claim = Told(store, [job], 1), store.claim(job)
    assert claim

    def let_go() -> None:
        put(job, store)
        claim.close()

    timer = threading.Timer(0.5, let_go)
    timer.start()
    looks, holder = [], JobStore.holder
    monkeypatch.setattr(JobStore, "holder", lambda *given: looks.append(1) or holder(*given))
    run_jobs([job], InProcess(put, store), store, told.progress)
    assert len(looks) < 10  # who waits looks now and then
    assert told.lines == [f"train@{TOY} runs elsewhere, process {os.getpid()}; waiting"]


def test_a_terminal_shows_the_epochs_of_those_that_run(store: JobStore) -> None:
    asked = jobs(4)
    trained(asked[0], store, 7, begun=500.0)  # an earlier training, which somebody forgot
    told = Told(store, asked, 2, terminal=True)
    with told.progress as progress:
        progress.begin(asked[0])
        progress.show()
        assert "0/10" in told.stream.getvalue()
        trained(asked[0], store, 4, begun=1000.0)
        told.now = 1008.0
        progress.show()
        shown = told.stream.getvalue()
    assert "4/10" in shown
    assert "mae 0.25" in shown
    assert "20 s a fold, 40 s left" in shown  # 12 s, and one more after it; beside it two of 20 s
    assert "7/10" not in shown
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).splitlines()
    assert max(map(len, drawn)) == 118  # of 120: the ^C of a terminal breaks no line
    assert told.stream.getvalue().endswith("\x1b[2K")  # nothing stays
    assert "\x1b[?25h" in told.stream.getvalue()[len(shown) :]  # and the cursor is back


def test_a_job_that_goes_on_counts_by_what_it_made_here(store: JobStore) -> None:
    asked = jobs(2)
    trained(asked[0], store, 5, begun=500.0)
    store.work(asked[0]).mkdir(parents=True)
    told = Told(store, asked, 2)
    with told.progress as progress:
        progress.begin(asked[0])
        told.now += 10
        put(asked[0], store)
        progress.end(Outcome(asked[0], store.result(asked[0])))
    assert told.lines[0].endswith("20 s a fold, 20 s left")


@pytest.mark.parametrize(
    ("running", "waiting", "slots", "left"),
    [([], 5, 2, 30.0), ([4.0, 1.0], 1, 2, 11.0), ([4.0], 1, 2, 10.0), ([], 0, 1, 0.0)],
)
def test_the_time_left_counts_whole_trainings(
    running: list[float], waiting: int, slots: int, left: float
) -> None:
    assert time_left(10.0, running, waiting, slots) == left


def test_no_number_is_neither_told_as_one_nor_the_best() -> None:
    best = Best("fold 1", "mae", float("inf"))
    assert Tally("fold", 2, 0, 1, 1, best).facts() == {
        "done": 0, "running": 1, "failed": 1, "total": 2, "seconds_left": None,
        "best": {"name": "fold 1", "metric": "mae", "value": None},
    }  # fmt: skip
    said = [(str(mae), {"mae": mae}) for mae in (float("nan"), 0.5, 0.4)]
    assert best_of(find_task(TOY), said) == Best("0.4", "mae", 0.4)
    assert best_of(find_task(TOY), said[:1]) is None


# --- who looks at the store ---------------------------------------------------------------------------


def verb(*arguments: str) -> str:
    done = CliRunner().invoke(cli, ["jobs", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


@pytest.fixture
def let_go(store: JobStore) -> Callable[[], None]:
    """Leave jobs in every state; call to free the one that is claimed."""
    done, half, failed, claimed, _ = asked = jobs()
    claims = {job.fold: store.claim(job) for job in asked}
    for job, epochs in ((done, 10), (half, 4), (failed, 2), (claimed, 5)):
        trained(job, store, epochs, time.time() - 100 + job.fold)
    put(done, store)
    store.work(half).mkdir()
    store.fail(failed, "error: rows: none\n  expected: some")
    held = claims.pop(claimed.fold)
    for claim in (*claims.values(), held):
        assert claim
        if claim is not held:
            claim.close()
    assert held
    return held.close


def test_any_terminal_sees_every_state(let_go: Callable[[], None]) -> None:
    shown = [line.split() for line in verb().splitlines() if "/" in line]
    *rows, summary = [" ".join(line[1:]) for line in shown]
    assert rows == [
        "0 10/10 0.5 20 done",
        "1 4/10 8 half",
        "2 2/10 4 failed: rows: none",
        f"3 5/10 97 running: process {os.getpid()}",
        "4 0/10 0 waiting",
    ]
    key = jobs()[0].key[:8]
    assert summary.startswith(
        f"{TOY} · 1 running, 1 failed · best mae 0.5 ({key}, fold 0) · 20 s a job"
    )
    let_go()
    assert "running:" not in verb()


def test_the_same_as_json(let_go: Callable[[], None]) -> None:
    (task,) = json.loads(verb("--json"))["tasks"]
    key = jobs()[0].key
    assert task["best"] == {"name": f"{key[:8]}, fold 0", "metric": "mae", "value": 0.5}
    assert [task[name] for name in ("task", "done", "running", "failed", "total")] == [
        TOY,
        1,
        1,
        1,
        5,
    ]
    first, *_, last = task["jobs"]
    assert first == {
        "key": key, "name": f"{key[:8]}, fold 0", "fold": 0, "epochs": 10, "of": 10,
        "state": "done", "said": "", "mae": 0.5, "seconds": 20.0,
    }  # fmt: skip
    assert last["mae"] is None
    let_go()


def test_following_ends_when_nothing_runs(let_go: Callable[[], None]) -> None:
    timer = threading.Timer(1.3, let_go)
    timer.start()
    told = [
        json.loads(line)["tasks"][0]["running"] for line in verb("--json", "--follow").splitlines()
    ]
    assert told == [1, 1, 0]


def test_nothing_is_no_fault(root: Path) -> None:
    assert "no jobs yet" in verb()
    assert json.loads(verb("--json")) == {"tasks": []}


def test_time_between_a_kill_and_going_on_is_not_counted(store: JobStore) -> None:
    (job,) = jobs(1)
    store.claim(job)
    trained(job, store, 3, begun=1000.0)
    with events_path(store.root, job.stage, job.key).open("a") as stream:
        for event in ({"event": BEGUN, "time": 9000.0, "goes_on": True},
                      {"event": "epoch", "time": 9002.0, "epoch": 3, "mae": 0.1}):  # fmt: skip
            stream.write(json.dumps(event) + "\n")
    (found,) = json.loads(verb("--json"))["tasks"][0]["jobs"]
    assert (found["epochs"], found["seconds"]) == (4, 8.0)


def test_what_takes_longer_than_others_did_is_told_as_due() -> None:
    facts = {"said": "best", "seconds": 8.0, "seconds_left": 0.0}
    assert str(Tally("trial", 2, 1, 1, 0, **facts)).endswith("best · 8 s a trial, 0 s left")
    assert str(Tally("trial", 2, 2, 0, 0, **facts)).endswith("best · 8 s a trial")
