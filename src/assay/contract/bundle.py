"""A model as it is kept: its files, and the record of the run that made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.runs.files import read_json
from assay.runs.record import RECORD


@dataclass(frozen=True)
class Bundle:
    """The files of a model, as its record lists them; one file of weights is the bundle of one.

    Attributes:
        files: name → where it lies. Of a pipeline the name begins with its task: `<task>/<name>`.
        record: the content of its `run.json`.
        fold: of a model of several folds, the one that is meant; none: all of them, or it has none.
    """

    files: Mapping[str, Path]
    record: Mapping[str, Any]
    fold: int | None = None

    @property
    def folds(self) -> list[Bundle]:
        """Return the model of each fold; none of a training on one, or of one of them."""
        numbers = self.record.get("model", {}).get("folds", ()) if self.fold is None else ()
        return [self.of_fold(number) for number in numbers]

    def of_fold(self, number: int) -> Bundle:
        """Return the model of one fold, of several: the same files; its record says what is its own."""
        own = self.record.get("folds", {}).get(str(number), {})
        mine = {name: fact for name, fact in own.items() if name != "files"}
        return replace(self, fold=number, record={**self.record, **mine})

    @property
    def weights(self) -> Path:
        """Return the only file.

        Raises:
            ValueError: there are several.
        """
        if len(self.files) != 1:
            raise ValueError(f"one file; the bundle has {', '.join(self.files)}")
        return next(iter(self.files.values()))


def read_bundle(folder: Path) -> Bundle:
    """Return the model that `folder` holds."""
    record = read_json(folder / RECORD)
    return Bundle({name: folder / name for name in record["files"]}, record)
