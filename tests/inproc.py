"""`dvc`, stages and `assay` in this process: all that they do, without what starting them costs.

DVC is the real one: it decides what runs, digests, caches, and writes `dvc.lock`. Only where it would
start `python -m assay.stages <stage>`, that stage's `main` is called here, on the same files.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import shlex
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self
from unittest import mock

import assay.systems
from assay.errors import AssayError
from tests import warm

STAGE = ["exec", "env", "PYTHONPATH=src", "python", "-m", "assay.stages"]
# One object for ever, since handlers of log messages keep the stream that they first saw.
_SAID = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115


def dvc(folder: Path, arguments: Sequence[str], env: Mapping[str, str]) -> tuple[int, str]:
    """Run a DVC command in a folder; return its status and what it printed."""
    import dvc.stage.run as starter
    from dvc.cli import main

    def go() -> int:
        for handler in logging.getLogger("dvc").handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(_SAID)
        with mock.patch.object(starter, "_run", _started_by_dvc(starter._run)):
            return int(main(list(arguments)))

    return _said(folder, env, go)


def verb(folder: Path, arguments: Sequence[str], env: Mapping[str, str]) -> tuple[int, str]:
    """Run `assay` in a folder; return its status and what it printed."""
    from assay.__main__ import main

    def go() -> int:
        with mock.patch.object(sys, "argv", ["assay", *arguments]), _children():
            try:
                main()
            except SystemExit as end:
                return end.code if isinstance(end.code, int) else int(end.code is not None)
        return 0

    return _said(folder, env, go)


def _said(folder: Path, env: Mapping[str, str], go: Callable[[], int]) -> tuple[int, str]:
    """Call with a process's surroundings; an error that nobody catches is told as Python would."""
    with tempfile.TemporaryFile() as stream:
        with _streams(stream.fileno()), _surroundings(folder, env):
            try:
                code = go()
            except Exception:  # noqa: BLE001
                traceback.print_exc()
                code = 1
        stream.seek(0)
        return code, stream.read().decode(errors="replace")


@contextlib.contextmanager
def _surroundings(folder: Path, env: Mapping[str, str]) -> Iterator[None]:
    """Give working folder, environment, warnings, systems and stores of a new process; take them back."""
    place, before, known = Path.cwd(), dict(os.environ), assay.systems.__path__
    forget_stores()
    try:
        os.chdir(folder)
        _become(env)
        if not (folder / "src/assay/systems/toy").is_dir():
            assay.systems.__path__ = known[:1]  # without the examples
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # as a process does
            yield
    finally:
        assay.systems.__path__ = known
        _become(before)
        os.chdir(place)
        forget_stores()


@contextlib.contextmanager
def _streams(file: int) -> Iterator[None]:
    """Send both standard streams into a file, those of child processes too."""
    kept = os.dup(1), os.dup(2)
    for stream in (sys.stdout, sys.stderr, _SAID):
        stream.flush()
    os.dup2(file, 1)
    os.dup2(file, 2)
    try:
        with contextlib.redirect_stdout(_SAID), contextlib.redirect_stderr(_SAID):
            yield
        _SAID.flush()
    finally:
        for number, own in enumerate(kept, start=1):
            os.dup2(own, number)
            os.close(own)


def _become(env: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(env)


def forget_stores() -> None:
    """Close the databases that MLflow keeps open: another may lie in the same place next time."""
    if "mlflow" not in sys.modules:
        return
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Tracking
    from mlflow.tracking._model_registry.utils import _get_store_registry as models
    from mlflow.tracking._tracking_service import utils

    for store in (Registry, Tracking):
        for engine in store._engine_map.values():
            engine.dispose()
        store._engine_map.clear()
    utils._tracking_store_registry._get_store_with_resolved_uri.cache_clear()
    models()._get_store_with_resolved_uri.cache_clear()
    utils._artifact_repos_cache.clear()


@contextlib.contextmanager
def _children() -> Iterator[None]:
    """Where a verb would start `dvc`, run it here; where it would ask a model, by a warm process."""
    from assay.commands import run, sweep
    from assay.registry import predictions

    other = SimpleNamespace(**{**vars(subprocess), "Popen": Ended, "run": Ended})
    warmed = SimpleNamespace(**{**vars(subprocess), "run": warm.asked})
    with (
        mock.patch.object(run, "subprocess", other),
        mock.patch.object(sweep, "subprocess", other),
        mock.patch.object(predictions, "subprocess", warmed),
    ):
        yield


class Ended:
    """A `dvc` that was run here, to its end, as `Popen` and `run` give it."""

    def __init__(
        self, command: list[str], *, cwd: Path, stdout: int | None = None, **_: Any
    ) -> None:
        assert command[0] == "dvc", command
        self.returncode, said = dvc(cwd, command[1:], dict(os.environ))
        self.stdout = io.StringIO(said)
        if stdout is None:
            print(said, end="")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


# --- what DVC starts


def _started_by_dvc(process: Callable[..., None]) -> Callable[..., None]:
    """Return what runs a stage's command: here where it is one of ours, else the process."""

    def run(executable: str, cmd: str, **kwargs: Any) -> None:
        from dvc.stage.exceptions import StageCmdFailedError

        *start, name = shlex.split(cmd)
        if start != STAGE:
            process(executable, cmd, **kwargs)
            return
        before, place = dict(os.environ), Path.cwd()
        _become(kwargs["env"])
        os.chdir(kwargs["cwd"])
        try:
            code = _stage(name)
        finally:
            _become(before)
            os.chdir(place)
        if code:
            raise StageCmdFailedError(cmd, code)

    return run


def _stage(name: str) -> int:
    """Do as `python -m assay.stages` does, but for its guard, which would refuse the tests' process."""
    from assay.stages import launch

    start = importlib.import_module("assay.stages.__main__").start
    try:
        with mock.patch.object(launch, "ProcessPoolExecutor", _Here):
            start(name, is_alone=False)
    except AssayError as error:
        print(error.render(), file=sys.stderr, flush=True)
        return 1
    except Exception:  # noqa: BLE001
        traceback.print_exc()
        return 1
    return 0


class _Here:
    """An executor that forks nothing: this process has threads, which a fork would not survive."""

    def __init__(self, *_: Any) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Call now."""
        done: Future[Any] = Future()
        done.set_result(call(*arguments))
        return done
