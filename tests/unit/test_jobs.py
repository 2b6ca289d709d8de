"""Drivers and executors of jobs that do nothing: claims, failures, kills, results."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tests.jobs_set import Nobody, Silent, broken, grid, killed, put, refused

from assay.errors import AssayError, MachineError
from assay.jobs import processes
from assay.jobs import store as store_module
from assay.jobs.driver import KILLS, TRIES, run_jobs
from assay.jobs.executor import Ended, InProcess
from assay.jobs.job import Job
from assay.jobs.outcome import Outcome, finished
from assay.jobs.processes import Processes
from assay.jobs.run_job import run_job
from assay.jobs.store import FAILURES, FILES, JOB, WORKER, JobStore
from assay.registry.gc_files import unused_for_long
from assay.runs.files import write_json
from assay.runs.lock import held
from assay.runs.record import HISTORY, OUT_OF_FOLD, RECORD
from assay.sections.machine import Runtime

JOBS = grid(3)


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path)


class Work:
    """Puts results; of the second job it does something else first."""

    def __init__(self, instead: Callable[[Job, JobStore], None]) -> None:
        self.instead, self.begun = instead, list[str]()

    def __call__(self, job: Job, store: JobStore) -> None:
        self.begun.append(job.key)
        (self.instead if job == JOBS[1] else put)(job, store)


class Meanwhile(Nobody):
    """An executor that nothing is asked of; another driver does something meanwhile."""

    def __init__(self, does: Callable[[], object]) -> None:
        self.does = does

    def ended(self, timeout: float) -> list[Ended]:
        self.does()
        return super().ended(timeout)


class Killer(Nobody):
    """Every process of it is killed, so many times."""

    def __init__(self, store: JobStore, times: int) -> None:
        self.store, self.left, self.begun = store, times, list[Job]()

    def start(self, job: Job) -> None:
        self.begun.append(job)
        self.left -= 1
        if self.left < 0:
            put(job, self.store)

    def ended(self, timeout: float) -> list[Ended]:
        job = self.begun[-1]
        is_killed = self.store.result(job) is None
        return [Ended(job, MachineError("a process", "killed") if is_killed else None, is_killed)]


def run(work: Work, store: JobStore, tries: int = TRIES) -> list[Outcome]:
    return run_jobs(JOBS, InProcess(work, store), store, Silent(), tries)


def test_what_breaks_three_times_is_recorded_and_the_others_are_done(store: JobStore) -> None:
    outcomes = run(work := Work(broken), store)
    assert [bool(each.folder) for each in outcomes] == [True, False, True]
    assert store.failures(JOBS[1]) == ["ValueError: by chance"] * 3
    assert work.begun.count(JOBS[1].key) == 3
    assert len(work.begun) == 5
    with pytest.raises(MachineError, match="failed 3 times; the last: ValueError: by chance"):
        finished(outcomes[1])


def test_who_asks_again_has_the_failed_one_alone_tried_again(store: JobStore) -> None:
    run(Work(broken), store)
    outcomes = run(work := Work(put), store)
    assert all(each.folder for each in outcomes)
    assert work.begun == [JOBS[1].key]


def test_what_is_refused_in_words_fails_at_once(store: JobStore) -> None:
    outcomes = run(work := Work(refused), store)
    assert work.begun.count(JOBS[1].key) == 1
    assert outcomes[0].folder
    assert outcomes[2].folder
    with pytest.raises(AssayError, match="the data: found nothing") as raised:
        finished(outcomes[1])
    assert store.failures(JOBS[1]) == [raised.value.render()]


def test_of_one_try_the_fault_is_raised_as_it_is(store: JobStore) -> None:
    with pytest.raises(ValueError, match="by chance"):
        finished(run(Work(broken), store, tries=1)[1])


@pytest.mark.parametrize("tries", [1, 3])
def test_a_kill_is_no_failure(store: JobStore, tries: int) -> None:
    executor = Killer(store, KILLS - 1)
    [outcome] = run_jobs(JOBS[:1], executor, store, Silent(), tries)
    assert outcome.folder
    assert store.failures(JOBS[0]) == []
    assert len(executor.begun) == KILLS


def test_what_is_killed_ten_times_is_given_up(store: JobStore) -> None:
    [outcome] = run_jobs(JOBS[:1], Killer(store, 99), store, Silent())
    with pytest.raises(
        MachineError, match=f"killed {KILLS} times, and given up; the last: .*killed"
    ):
        finished(outcome)
    assert len(store.failures(JOBS[0])) == 1


def test_what_another_driver_has_is_waited_for(store: JobStore) -> None:
    job = JOBS[0]
    claim, looks = store.claim(job), list[float]()
    assert claim
    assert store.claim(job) is None
    assert store.holder(job)

    def other() -> None:
        looks.append(0)
        if len(looks) == 3:
            put(job, store)

    [outcome] = run_jobs([job], Meanwhile(other), store, Silent())
    assert outcome.folder == store.result(job)
    assert len(looks) >= 3


def test_what_failed_thrice_of_another_driver_has_failed(store: JobStore) -> None:
    claim = store.claim(JOBS[0])
    assert claim
    executor = Meanwhile(lambda: store.fail(JOBS[0], "no luck"))
    [outcome] = run_jobs(JOBS[:1], executor, store, Silent())
    with pytest.raises(MachineError, match="failed 3 times; the last: no luck"):
        finished(outcome)


def test_what_a_dead_driver_had_is_taken_over(store: JobStore) -> None:
    claim = store.claim(JOBS[0])
    assert claim

    def work(job: Job, store: JobStore) -> None:
        assert claim.closed
        put(job, store)

    class Dies(InProcess):
        def ended(self, timeout: float) -> list[Ended]:
            claim.close()
            return super().ended(timeout)

    [outcome] = run_jobs(JOBS[:1], Dies(work, store), store, Silent())
    assert outcome.folder


def test_who_waits_for_others_keeps_no_core_busy(store: JobStore) -> None:
    began = time.monotonic()
    assert InProcess(put, store).ended(0.05) == []
    assert time.monotonic() - began >= 0.05


def test_a_result_is_written_once(store: JobStore) -> None:
    store.claim(JOBS[0])
    put(JOBS[0], store)
    half = store.half(JOBS[0])
    half.mkdir(parents=True)
    (half / "weights").write_text("another's")
    store.put(JOBS[0], half)
    result = store.result(JOBS[0])
    assert result
    assert (result / "weights").read_text() == JOBS[0].key
    assert not store.work(JOBS[0]).exists()


@pytest.mark.parametrize("damage", ["cut", "swapped", "gone", "unlisted", "half a list"])
def test_a_damaged_result_is_none_and_is_made_again(
    store: JobStore, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [before] = run(put, store)[:1]
    assert before.folder
    weights, listed = before.folder / "weights", before.folder / FILES
    does: dict[str, Callable[[], object]] = {
        "cut": lambda: weights.write_text(weights.read_text()[:5]),
        "swapped": lambda: weights.write_text(weights.read_text()[::-1]),
        "gone": weights.unlink,
        "unlisted": listed.unlink,
        "half a list": lambda: listed.write_text(listed.read_text()[:9]),
    }
    does[damage]()
    capsys.readouterr()
    assert store.result(JOBS[0]) is None
    done = run(put, store)
    assert [each.fault for each in done] == [None] * len(JOBS)
    assert weights.read_text() == JOBS[0].key
    assert capsys.readouterr().out.splitlines()[:2] == [
        f"{before.folder} is damaged, and is trained again", "put",
    ]  # fmt: skip


def test_what_a_full_disk_cut_off_stops_nobody(store: JobStore) -> None:
    store.claim(JOBS[0])
    store.fail(JOBS[0], "by chance")
    for name in (FAILURES, JOB):
        with (store.folder(JOBS[0]) / name).open("a") as stream:
            stream.write('{"rea')
    assert store.failures(JOBS[0]) == ["by chance", '{"rea']
    assert list(store.jobs()) == []
    store.folder(JOBS[0]).joinpath("claim").unlink()
    store.claim(JOBS[0])
    assert list(store.jobs()) == [JOBS[0]]


def test_what_cannot_be_put_is_not_lost(store: JobStore) -> None:
    store.claim(JOBS[0])
    half = store.half(JOBS[0])
    half.mkdir(parents=True)
    store.folder(JOBS[0]).joinpath("result").write_text("in its way")
    with pytest.raises(OSError, match="result"):
        store.put(JOBS[0], half)
    assert half.is_dir()


def test_no_two_train_one_job(store: JobStore) -> None:
    """Whatever became of the claim: the second process waits for the first, and finds its result."""
    with ThreadPoolExecutor(1) as second:
        with held(store.folder(JOBS[0]) / WORKER, ""):
            waits = second.submit(run_job, JOBS[0], store, Runtime())
            with pytest.raises(TimeoutError):
                waits.result(0.3)
            put(JOBS[0], store)
        waits.result(5)  # there is no data: it would fail, if it trained


def test_processes_tell_what_came_of_each(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LIBRARIES", ["torch"])
    found = []
    for work, jobs in ((put, JOBS), (broken, JOBS[:1]), (refused, JOBS[:1]), (killed, JOBS[:1])):
        place = replace(store, place=Path(work.__name__))
        outcomes = run_jobs(jobs, Processes(work, place, 2), place, Silent())
        assert [bool(each.folder) for each in outcomes] == [work is put] * len(jobs)
        found.append(outcomes[-1])
    assert (store.root / "put" / JOBS[0].key / processes.LOG).read_text() == "put\n"
    for outcome, said in zip(
        found[1:],
        ("failed 3 times; the last: RuntimeError: ValueError: by chance", "the data: found nothing",
         "killed 10 times, and given up; the last: .*by signal 9"), strict=True,
    ):  # fmt: skip
        with pytest.raises(AssayError, match=said):
            finished(outcome)


def test_what_a_killed_worker_wrote_half_is_no_part_of_a_result(store: JobStore) -> None:
    job, half = JOBS[0], store.half(JOBS[0])
    half.mkdir(parents=True)
    (half / ".preflight.4711.aside.json").write_text("{")
    (half / "run.json").write_text("{}")
    store.put(job, half)
    found = store.result(job)
    assert found
    assert {path.name for path in found.iterdir()} == {"run.json", "files.json"}


@pytest.fixture
def trained(store: JobStore) -> Path:
    """Return the result of a job whose record says which of its files are the model."""
    half = store.half(JOBS[0])
    half.mkdir(parents=True)
    for name in ("weights.safetensors", HISTORY, OUT_OF_FOLD):
        (half / name).write_text(name)
    write_json(half / RECORD, {"files": {"weights.safetensors": "a digest"}})
    store.put(JOBS[0], half)
    assert store.has_weights(JOBS[0])
    found = store.result(JOBS[0])
    assert found
    return found


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_result_without_weights_is_one(store: JobStore, trained: Path) -> None:
    left = {HISTORY, OUT_OF_FOLD, RECORD}
    before = {name: (trained / name).read_bytes() for name in left}
    for _ in range(2):
        store.prune(JOBS[0])
        assert names(trained) == {*left, FILES}
        assert {name: (trained / name).read_bytes() for name in left} == before
        assert store.result(JOBS[0]) == trained
        assert not store.has_weights(JOBS[0])
    outcomes = run(work := Work(put), store)
    assert outcomes[0].folder == trained
    assert JOBS[0].key not in work.begun
    (trained / HISTORY).write_text("damaged")
    assert store.result(JOBS[0]) is None
    assert not store.has_weights(JOBS[0])


def test_of_what_is_not_finished_nothing_is_pruned(store: JobStore) -> None:
    half = store.half(JOBS[1])
    half.mkdir(parents=True)
    (half / "weights.safetensors").write_text("half")
    store.prune(JOBS[1])
    store.prune(JOBS[2])
    assert (half / "weights.safetensors").read_text() == "half"
    assert not store.has_weights(JOBS[1])
    assert not store.has_weights(JOBS[2])


@pytest.mark.parametrize("dies", ["write_json", "unlink"])
def test_killed_while_it_prunes_a_result_is_whole(
    store: JobStore, trained: Path, dies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its weights until the list is written, and then none, wherever they lie."""

    class Killed(BaseException): ...

    def killed_there(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        where = store_module if dies == "write_json" else Path
        patch.setattr(where, dies, killed_there)
        with pytest.raises(Killed):
            store.prune(JOBS[0])
    assert store.result(JOBS[0]) == trained
    assert store.has_weights(JOBS[0]) == (dies == "write_json")
    assert "weights.safetensors" in names(trained)
    store.prune(JOBS[0])
    assert names(trained) == {HISTORY, OUT_OF_FOLD, RECORD, FILES}
    assert store.result(JOBS[0]) == trained


def test_what_is_pruned_goes_by_age_as_others_do(store: JobStore, trained: Path) -> None:
    store.prune(JOBS[0])
    now = time.time()
    assert unused_for_long(store.root, now - 60)["trainings"] == []
    assert unused_for_long(store.root, now + 60)["trainings"] == [trained.parent]
