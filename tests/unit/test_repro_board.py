"""The bars of branches at work, on a terminal and without one."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from assay.repro.board import Board
from assay.repro.branches import Branch

BRANCH = Branch(("train@a", "evaluate@a"), frozenset(), 2)


def drawn(terminal: bool, *states: Any) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream, force_terminal=terminal, width=120, markup=False, highlight=False
    )
    with Board(console, 2) as board:
        for state in states:
            board.show({0: state})
        board.show({})
    return stream.getvalue()


def at(begun: str, said: str, *over: str) -> Any:
    """A branch as the board sees one."""
    return SimpleNamespace(branch=BRANCH, stage=begun, said=said, over=list(over))


STATES = (
    at("train@a", "[EPOCH] 1/60 loss=0.2 [/nothing]"),
    at("evaluate@a", "", "train@a"),
    at("evaluate@a", "", *BRANCH.stages),
)


def test_a_terminal_shows_stage_last_line_and_count_as_they_are() -> None:
    text = drawn(True, *STATES)
    for expected in ("train@a", "[EPOCH] 1/60 loss=0.2 [/nothing]", "evaluate@a", "1/2", "2/2"):
        assert expected in text


def test_elsewhere_a_line_says_what_has_ended_and_no_bar_is_drawn() -> None:
    text = drawn(False, *STATES)
    assert [line.split()[:2] for line in text.splitlines()] == [
        ["done", "train@a"], ["done", "evaluate@a"],
    ]  # fmt: skip
