"""A module as text: what it imports and names as a whole, and within each of its functions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.errors import AssayError

# Functions under these are called by their own name; one under another decorator may be called by whoever
# keeps it, as pydantic keeps a validator.
NAMED = {
    "abstractmethod", "cache", "cached_property", "classmethod", "contextmanager", "override", "property",
    "staticmethod",
}  # fmt: skip
# Bases that call no method which code of this package does not name: `tests/truths` looks at theirs.
PLAIN = {
    "ABC", "BaseSystem", "BaseTask", "ClassLearner", "ClassTask", "Generic", "Learner", "PlainLearner",
    "Protocol",
    "ValueLearner", "ValueTask",
}  # fmt: skip
Function = ast.FunctionDef | ast.AsyncFunctionDef


class _RelativeError(Exception):
    """An import whose module depends on where it stands; its line."""


@dataclass
class Uses:
    """What a stretch of code imports and names.

    Attributes:
        imports: modules, and what is taken from them, which may be a module too.
        names: that stand by themselves, and with a dot before what stands behind one.
    """

    imports: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def name(self, name: str) -> None:
        """Note what may be a function, a method or a task."""
        self.names |= {name, f".{name}"}


@dataclass
class Parsed:
    """A module: what counts as soon as it is imported, and what counts where a function is called.

    A method is called by what stands behind a dot alone: its name here begins with one.
    """

    own: Uses
    functions: dict[str, list[Uses]]
    is_empty: bool  # a docstring at most


def parsed(path: Path) -> Parsed:
    """Return what a file imports and names; what stands under `if TYPE_CHECKING` does not count.

    Raises:
        AssayError: it is not Python.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, ValueError) as fault:
        line = f", line {fault.lineno}" if isinstance(fault, SyntaxError) else ""
        raise AssayError(
            f"{path}{line}", f"{type(fault).__name__}: {fault}", "Python", f"edit it; python {path}"
        ) from None
    found = Parsed(Uses(), {}, all(_is_text(node) for node in tree.body))
    try:
        _read(tree.body, found)
    except _RelativeError as fault:
        where = f"{path}, line {fault.args[0]}"
        raise AssayError(where, "a relative import", "the module's whole name", "edit it") from None
    return found


def _read(body: Iterable[ast.stmt], found: Parsed, dot: str = "", by_name: bool = True) -> None:
    for node in body:
        if isinstance(node, Function):
            _take([*node.decorator_list, *_defaults(node.args)], found.own)
            is_named = by_name and all(map(_is_named, node.decorator_list))
            part = Uses() if is_named and not node.name.startswith("__") else found.own
            _take(node.body, part)
            found.functions.setdefault(f"{dot}{node.name}", []).append(part)
        elif isinstance(node, ast.ClassDef):
            _take([*node.decorator_list, *node.bases, *node.keywords], found.own)
            _read(node.body, found, ".", by_name and not _is_derived(node))
        elif isinstance(node, ast.If):
            _take([node.test], found.own)
            branches = [node.orelse] if _is_for_types(node) else [node.body, node.orelse]
            for branch in branches:
                _read(branch, found, dot, by_name)
        else:
            _take([node], found.own)


def _take(nodes: Iterable[ast.AST], part: Uses) -> None:
    for node in nodes:
        kind = type(node)
        if kind is ast.Name:
            part.names.add(node.id)  # type: ignore[attr-defined]
            continue
        if kind in NAMING:
            NAMING[kind](node, part)
        if isinstance(node, ast.If) and _is_for_types(node):
            _take(node.orelse, part)
        else:
            _take(_inner(node), part)


def _inner(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes within one, but for those that say how a name is used: half of all."""
    for value in vars(node).values():
        if type(value) is list:
            yield from (each for each in value if isinstance(each, ast.AST))
        elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
            yield value


def _import_from(node: ast.ImportFrom, part: Uses) -> None:
    if node.level or not node.module:
        raise _RelativeError(node.lineno)
    part.imports |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}


def _call(node: ast.Call, part: Uses) -> None:
    """Note the names that `getattr` and `operator.methodcaller` are given as texts."""
    called = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if called in ("getattr", "methodcaller"):
        for each in node.args:
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                part.name(each.value)


# A text may be the name of a task that is asked for.
NAMING: dict[type[ast.AST], Callable[[Any, Uses], None]] = {
    ast.Call: _call,
    ast.Import: lambda node, part: part.imports.update(alias.name for alias in node.names),
    ast.ImportFrom: _import_from,
    ast.Attribute: lambda node, part: part.name(node.attr),
    ast.alias: lambda node, part: part.name(node.name),
    ast.Constant: lambda node, part: (
        part.names.add(node.value) if type(node.value) is str else None
    ),
}


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(each for each in arguments.kw_defaults if each is not None)]


def _is_named(decorator: ast.expr) -> bool:
    """Return whether a function under it is reached by its own name alone."""
    inner = decorator.func if isinstance(decorator, ast.Call) else decorator
    return (inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")) in NAMED


def _is_derived(node: ast.ClassDef) -> bool:
    """Return whether whoever wrote a base may call its methods, as torch calls `forward`.

    A class without bases that asks for `super` is given some later.
    """
    is_mixed_in = any(isinstance(each, ast.Name) and each.id == "super" for each in ast.walk(node))
    return (is_mixed_in and not node.bases) or not {base_name(each) for each in node.bases} <= PLAIN


def base_name(node: ast.expr) -> str:
    """Return the name of a base, without what it is generic over."""
    inner = node.value if isinstance(node, ast.Subscript) else node
    return inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")


def _is_for_types(node: ast.If) -> bool:
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
