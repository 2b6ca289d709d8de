"""What is said of a study's trials: the lines and the bars of jobs, and the same as JSON."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from rich.console import Console
from tests.studies import toy_plan

from assay.jobs.display import Display
from assay.search.objective import CURVE, REASON
from assay.search.plan import StudyPlan
from assay.search.progress import TrialProgress
from assay.search.results import StudyResults


@pytest.fixture
def plan(tmp_path: Path) -> StudyPlan:
    return toy_plan(tmp_path)


def made(number: int, state: str, seconds: float = 10.0, **more: Any) -> FrozenTrial:
    begun = datetime.now() - timedelta(seconds=seconds)  # noqa: DTZ005, as Optuna's
    trial = create_trial(
        state=TrialState[state], params={"train.lr": 0.01},
        distributions={"train.lr": FloatDistribution(0.001, 0.1, log=True)}, **more,
    )  # fmt: skip
    trial.number, trial.datetime_start = number, begun
    trial.datetime_complete = None if state == "RUNNING" else begun + timedelta(seconds=seconds)
    return trial


def told(plan: StudyPlan, **how: Any) -> list[str]:
    """Return what is said of a study: one trial was known, three end, the last two at once."""
    first = made(0, "COMPLETE", values=[0.5])
    second = made(1, "COMPLETE", values=[0.25], user_attrs={CURVE: [{}, {}]})
    pruned = made(2, "PRUNED", user_attrs={CURVE: [{}, {}]})
    failed = made(3, "FAIL", user_attrs={REASON: "error: nan\nwhy"})
    running = made(4, "RUNNING", 4.0, intermediate_values={0: 0.9, 1: 0.8})
    stream = io.StringIO()
    console = Console(file=stream, width=120, force_terminal=how.pop("terminal", False))
    display = Display(console, "trial", 5, **how)
    display.start()
    progress = TrialProgress(StudyResults(plan, [first], [first]), 2, display)
    progress(StudyResults(plan, [first, second], [second], [running]))
    progress(StudyResults(plan, [first, second, pruned, failed], [second], [running]))
    progress.wait(60)
    progress.wait(60)
    display.stop()
    return stream.getvalue().splitlines()


def test_a_log_has_a_line_for_each(plan: StudyPlan) -> None:
    best = "best mae 0.25 (trial 1)"
    assert told(plan) == [
        "1 of 5 trials known already · best mae 0.5 (trial 0) · 10 s a trial, 20 s left",
        f"[2/5] trial 1: mae 0.25 · 2 running, 0 failed · {best} · 10 s a trial, 16 s left",
        f"[3/5] trial 2: pruned after 2 epochs · 2 running, 1 failed · {best} · 10 s a trial, 10 s left",
        f"[3/5] trial 3: failed: error: nan · 2 running, 1 failed · {best} · 10 s a trial, 10 s left",
        "a trial runs elsewhere, or was killed: 60 s without a heartbeat tell",
    ]


def test_a_terminal_shows_the_epochs_of_a_trial(plan: StudyPlan) -> None:
    shown = "\n".join(told(plan, terminal=True))
    assert "trial 4" in shown
    assert "2/3" in shown
    assert "mae 0.8" in shown


def test_json_is_a_document_a_line_and_nothing_else(
    plan: StudyPlan, capsys: pytest.CaptureFixture[str]
) -> None:
    start, second, *_, failed = map(json.loads, told(plan, as_json=True, terminal=True))
    best = {"name": "trial 1", "metric": "mae", "value": 0.25}
    assert start["ended"] is None
    assert start["done"] == 1
    left = second.pop("seconds_left")
    assert left == pytest.approx(16, abs=0.5)
    ended = {
        "name": "trial 1",
        "state": "complete",
        "metrics": {"mae": 0.25},
        "epochs": 2,
        "reason": "",
    }
    assert second == {
        "done": 2,
        "running": 2,
        "failed": 0,
        "total": 5,
        "best": best,
        "ended": ended,
    }
    assert (failed["ended"]["state"], failed["ended"]["reason"]) == ("failed", "error: nan")
    assert "a trial runs elsewhere" in capsys.readouterr().err


def test_stdout_is_left_to_one_alone() -> None:
    code = """
import os, subprocess
from assay.runs.console import make_console, stdout_alone
with stdout_alone() as file:
    print("a print"); os.system("echo a process"); make_console(file).out("{}")
print("after")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": "src"},
    )  # fmt: skip
    assert done.stdout == "{}\nafter\n"
    assert sorted(done.stderr.splitlines()) == ["a print", "a process"]
