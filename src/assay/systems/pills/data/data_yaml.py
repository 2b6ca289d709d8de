"""`data.yaml`, which tells ultralytics where pictures and labels lie, and what classes are named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString as Quoted

HALVES = ("train", "val")
NAME = "data.yaml"


def make_folders(folder: Path) -> None:
    """Make `<half>/images` and `<half>/labels`."""
    for half in HALVES:
        for kind in ("images", "labels"):
            (folder / half / kind).mkdir(parents=True)


def write_data_yaml(folder: Path, place: Path, names: Sequence[str]) -> Path:
    """Write it into `folder`, which will lie at `place`, and return its path.

    Every text stands in quotes: its readers read YAML 1.1, to which a bare `no` is false, `on` true
    and `12:30` 750, and what writes it here (YAML 1.2) would leave such names bare.
    """
    told = {"path": Quoted(str(place)), **{half: Quoted(f"{half}/images") for half in HALVES},
            "names": {number: Quoted(name) for number, name in enumerate(names)}}  # fmt: skip
    yaml = YAML()
    yaml.width = 1 << 20  # a name stays on its line
    with (folder / NAME).open("w", encoding="utf-8") as stream:
        yaml.dump(told, stream)
    return folder / NAME
