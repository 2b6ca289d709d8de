"""One word for one thing: a public name stands for two things only where it is one role of many rooms."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

SRC = Path(__file__).parents[2] / "src" / "assay"
# Name → what each of its bearers does, for its own room.
ROLES = {
    "command": "a verb of `assay`",
    "main": "a stage, or a program",
    "draw": "the pictures of one task, or of a study",
    "build": "a task's network, untrained",
    "write_set": "a system's phantom, written out",
    "rules": "what must be true of a system's single columns",
    "check_labels": "what must be true of a system's labels beside that",
    # A section of params.yaml, by its key.
    "Model": "<task>.model",
    "Phantom": "<system>.phantom",
}


def public_names() -> dict[str, list[str]]:
    """Return name → the modules whose own class or function it is."""
    found = defaultdict(list)
    for path in sorted(SRC.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                found[node.name].append(str(path.relative_to(SRC)))
    return found


def test_no_public_name_stands_for_two_things() -> None:
    twice = {name: rooms for name, rooms in public_names().items() if len(rooms) > 1}
    assert {name: rooms for name, rooms in twice.items() if name not in ROLES} == {}


def test_every_role_has_several_bearers() -> None:
    """Whoever takes the second one away takes the role's line too."""
    names = public_names()
    assert [name for name in ROLES if len(names[name]) < 2] == []
