"""What a module can reach: on a package of a few lines, rule by rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.code.reach import Reach
from assay.code.source import SourceTree
from assay.errors import AssayError

STAGE = """
from typing import TYPE_CHECKING

from assay.core import fit

if TYPE_CHECKING:
    from assay.typed import Typed


def main(stage):
    fit(stage)
    stage.task.score()


def unused():
    import assay.unused
"""
TASK = """
class Task:
    def score(self):
        from assay import scored

    def pictures(self):
        from assay.drawn import draw

    @property
    def params(self):
        import assay.sections_of_it

    @kept_by_somebody
    def check(self):
        import assay.checked


class Network(Module):
    def forward(self):
        import assay.forwarded


class Mixed:
    def validate(self):
        import assay.mixed

    def step(self):
        super().step()
"""
CORE = """
import numpy
from assay.deeper import x

def fit(stage): inner()

def inner():
    import assay.inner_one, torch.nn
"""


@pytest.fixture
def package(tmp_path: Path) -> SourceTree:
    """Return a package whose modules are empty but for what stands above."""
    files = {"stage": STAGE, "task": TASK, "core": CORE}
    empty = ("deeper", "typed", "unused", "scored", "drawn", "checked", "forwarded", "mixed", "inner_one",
             "sections_of_it", "again")  # fmt: skip
    folder = tmp_path / "assay"
    folder.mkdir()
    for name, text in {"__init__": "", **files, **dict.fromkeys(empty, "")}.items():
        (folder / f"{name}.py").write_text(text)
    return SourceTree(tmp_path)


def reached(package: SourceTree, *entries: str) -> Reach:
    reach = Reach(package)
    for entry in entries:
        reach.enter(f"assay.{entry}")
    reach.call(("main",))
    return reach


def test_what_is_called_counts_and_what_is_not_does_not(package: SourceTree) -> None:
    found = reached(package, "stage", "task")
    modules = {name.removeprefix("assay.") for name in found.modules}
    assert modules == {
        "assay", "stage", "task", "core", "deeper", "inner_one", "scored",
        "checked", "forwarded", "mixed",  # somebody else may call these
    }  # fmt: skip
    assert {"numpy", "torch"} <= found.others


def test_a_name_that_is_met_later_counts_for_what_was_entered_before(package: SourceTree) -> None:
    assert "assay.drawn" not in reached(package, "task").modules
    package.folder.joinpath("assay/again.py").write_text("def main(task): task.pictures()\n")
    assert "assay.drawn" in reached(SourceTree(package.folder), "task", "again").modules


def test_a_variable_is_no_method_and_a_text_no_call(package: SourceTree) -> None:
    text = 'def main(task):\n    pictures = "pictures"\n    return pictures\n'
    package.folder.joinpath("assay/again.py").write_text(text)
    assert "assay.drawn" not in reached(SourceTree(package.folder), "task", "again").modules


def test_a_method_named_as_a_text_is_called(package: SourceTree) -> None:
    text = 'import operator\n\ndef main(task):\n    getattr(task, "pictures")()\n'
    package.folder.joinpath("assay/again.py").write_text(text)
    assert "assay.drawn" in reached(SourceTree(package.folder), "task", "again").modules
    text = 'import operator\n\ndef main(task):\n    operator.methodcaller("pictures")(task)\n'
    package.folder.joinpath("assay/again.py").write_text(text)
    assert "assay.drawn" in reached(SourceTree(package.folder), "task", "again").modules


def test_what_is_imported_where_types_are_not_checked_counts(package: SourceTree) -> None:
    text = "def main(task):\n    if TYPE_CHECKING:\n        import assay.typed\n    else:\n"
    text += "        import assay.unused\n"
    package.folder.joinpath("assay/again.py").write_text(text)
    found = reached(SourceTree(package.folder), "again").modules
    assert "assay.unused" in found
    assert "assay.typed" not in found


def test_a_package_goes_before_a_module_of_its_name(package: SourceTree) -> None:
    (package.folder / "assay/core").mkdir()
    (package.folder / "assay/core/__init__.py").write_text("")
    assert (
        SourceTree(package.folder).file("assay.core") == package.folder / "assay/core/__init__.py"
    )


def test_what_is_not_python_is_told_with_its_line(package: SourceTree) -> None:
    path = package.folder / "assay/core.py"
    path.write_text("x = 1\ndef (:\n")
    with pytest.raises(AssayError, match=r"core.py, line 2: SyntaxError"):
        reached(SourceTree(package.folder), "stage")
