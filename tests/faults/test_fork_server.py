"""Stages forked where their libraries are imported: what is printed, returned, killed, and left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import pytest
from tests import stories
from tests.conftest import DATA, Project, copied
from tests.project import environment as environment_of_test
from tests.project import until

from assay.code.distributions import pins
from assay.repro import forked as forking
from assay.repro.forked import CHAINS, fork_servers
from assay.runs.lock import held

STAGE = f"validate@{DATA}"
PAGE = f"reports/{DATA}/labels.html"
CLIENT = """
import os, signal
from assay.repro.forked import run_forked
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a suite runs in the background
print("status", run_forked(os.environ.pop("ASSAY_FORK_SERVER"), "validate"))
"""
pytestmark = [
    pytest.mark.kill,
    pytest.mark.skipif(not forking.is_possible(), reason="no fork here: an old kernel, or a GPU"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return copied(stories.finished(), tmp_path_factory.mktemp("forked") / "project")


@pytest.fixture(scope="module")
def server(project: Project) -> Iterator[dict[str, str]]:
    """Serve in the project; nobody is left when it ends."""
    with ExitStack() as stack:
        yield serving(project, stack)
        mine = children(os.getpid())
    assert not any(Path(f"/proc/{each}").exists() for each in mine)


def serving(project: Project, stack: ExitStack) -> dict[str, str]:
    """Start the servers of a project; return what finds them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # as in CLIENT
    with mock.patch.dict(os.environ, environment(), clear=True):
        found = stack.enter_context(fork_servers(project.folder))
    signal.signal(signal.SIGINT, before)
    sockets = sum(map(len, CHAINS))
    until(lambda: len(list(Path(found["ASSAY_FORK_SERVER"]).iterdir())) == sockets)
    return found


def environment(**more: str) -> dict[str, str]:
    """Return a person's environment; pytest's own changes with every test."""
    known = environment_of_test(**more)
    return {name: value for name, value in known.items() if not name.startswith("PYTEST_")}


def children(process: int) -> list[int]:
    """Return the servers that a process has started, or the stages that a server has forked."""
    found = map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())
    return [each for each in found if b"fork_server" in Path(f"/proc/{each}/cmdline").read_bytes()]


def forked() -> list[int]:
    return [stage for each in children(os.getpid()) for stage in children(each)]


def nobody() -> bool:
    return not forked()


def ask(project: Project, server: dict[str, str], **more: str) -> subprocess.Popen[str]:
    """Start a process that lets a server run a stage, as `python -m assay.stages` does."""
    told = {
        "PYTHONPATH": "src", "PYTHONUNBUFFERED": "1", "DVC_ROOT": str(project.folder),
        "DVC_STAGE": STAGE, **server, **more,
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT], cwd=project.folder, env=environment(**told),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def answer(client: subprocess.Popen[str]) -> str:
    """Return all that was printed where the process prints."""
    return client.communicate(timeout=60)[0]


def waiting(client: subprocess.Popen[str]) -> int:
    """Wait until the stage waits for its lock; return its process."""
    assert client.stdout
    assert "runs already in this folder; waiting" in client.stdout.readline()
    (stage,) = forked()
    return stage


def test_a_forked_stage_leaves_the_bytes_of_one_that_imports_for_itself(
    project: Project, server: dict[str, str]
) -> None:
    before = project.bytes_of("data", "reports")
    for path in (project.folder / "reports").rglob("*.html"):
        path.unlink()
    assert "status 0" in answer(ask(project, server))
    after = project.bytes_of("data", "reports")
    assert after
    assert {path: before[path] for path in after} == after
    assert PAGE in after


def test_a_refused_stage_says_so_where_it_was_asked_for(
    project: Project, server: dict[str, str]
) -> None:
    gate = project.folder / "src/assay/gates/expectations.py"
    text = gate.read_text()
    gate.write_text(text + "# edited\n")
    said = answer(ask(project, server))
    gate.write_text(text)
    assert f"error: {gate.relative_to(project.folder)}" in said or "expectations.py" in said
    assert "dvc repro -f code@hemoglobin" in said
    assert "Traceback" not in said
    assert "status 1" in said


def test_what_no_server_may_run_is_left_to_the_one_who_asks(
    project: Project, server: dict[str, str]
) -> None:
    """A stage that declared none of the libraries; another environment; nobody there."""
    assert answer(ask(project, server, DVC_STAGE=f"split@{DATA}")) == "status None\n"
    assert answer(ask(project, server, OMP_NUM_THREADS="7")) == "status None\n"
    assert answer(ask(project, {"ASSAY_FORK_SERVER": "/nowhere"})) == "status None\n"
    assert not forked()


def test_a_server_that_cannot_import_is_as_none(project: Project, tmp_path: Path) -> None:
    (tmp_path / "great_expectations.py").write_text("raise ImportError('planted')\n")
    broken = subprocess.Popen(
        [sys.executable, "-m", "assay.repro.fork_server", tmp_path, "great-expectations"],
        cwd=project.folder, env=environment(PYTHONPATH=f"src{os.pathsep}{tmp_path}"),
        stdin=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    until((tmp_path / "great-expectations").exists)
    assert answer(ask(project, {"ASSAY_FORK_SERVER": str(tmp_path)})) == "status None\n"
    assert b"planted" in broken.communicate()[1]


@pytest.mark.parametrize(("how", "status"), [(signal.SIGKILL, 137), (signal.SIGTERM, 143)])
def test_a_killed_stage_is_told(
    project: Project, server: dict[str, str], how: int, status: int
) -> None:
    with held(project.folder / f".assay/locks/{STAGE}.lock", ""):
        client = ask(project, server)
        os.kill(waiting(client), how)
        assert f"status {status}" in answer(client)
    until(nobody)


def test_a_stage_dies_with_the_one_who_asked(project: Project, server: dict[str, str]) -> None:
    with held(project.folder / f".assay/locks/{STAGE}.lock", ""):
        client = ask(project, server)
        stage = waiting(client)
        client.kill()
        until(nobody)  # while the lock that it waited for is still held
        until(lambda: not Path(f"/proc/{stage}").exists())  # its server has reaped it
        assert "status" not in answer(client)


def test_ctrl_c_reaches_the_stage(project: Project, server: dict[str, str]) -> None:
    with held(project.folder / f".assay/locks/{STAGE}.lock", ""):
        client = ask(project, server)
        waiting(client)
        client.send_signal(signal.SIGINT)
        said = answer(client)
    assert "KeyboardInterrupt" in said
    assert "status 130" in said
    assert not forked()


def test_a_stage_dies_with_its_server_and_that_is_told(project: Project) -> None:
    with ExitStack() as stack:
        own = serving(project, stack)
        with held(project.folder / f".assay/locks/{STAGE}.lock", ""):
            client = ask(project, own)
            stage = waiting(client)
            os.kill(parent_of(stage), signal.SIGKILL)
            assert "status 137" in answer(client)
        until(nobody)


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def test_where_nobody_can_watch_a_fork_there_is_none(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel before 5.3 answers as this does."""

    def no_such_call(_: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", no_such_call)
    before = children(os.getpid())
    with fork_servers(project.folder) as found:
        assert not found
        assert children(os.getpid()) == before


def test_the_chains_name_what_the_lock_has() -> None:
    assert {name for chain in CHAINS for name in chain} <= set(pins())
