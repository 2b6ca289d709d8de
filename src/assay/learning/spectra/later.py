"""Names without what they cost: a class of this folder is imported when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Later:
    """A class of this folder; sections of `params.yaml` know its name, and import no torch.

    Attributes:
        file: where it stands, without its ending.
        name: of the class.
    """

    file: str
    name: str

    def find(self) -> Any:
        """Return the class."""
        return getattr(import_module(f".{self.file}", __package__), self.name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Return an object of the class."""
        return self.find()(*arguments, **named)
