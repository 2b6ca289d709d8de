"""Data of `toy`: squares.csv names an image, its level, and the sheet that it was cut from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from PIL import Image
from pydantic import Field

from assay.contract.base_system import BaseSystem
from assay.contract.checks import Rule
from assay.contract.listing import Listing
from assay.errors import SourceError
from assay.manifest.published import faults, number, read_published
from assay.sections.data import DataParams
from assay.sections.section import Section

if TYPE_CHECKING:
    from assay.manifest.source import Source

TABLE = "squares.csv"


class Phantom(Section):
    """How many sheets there are, and how many squares were cut from each."""

    sheets: int = Field(ge=1)
    squares: int = Field(ge=1)
    seed: int = Field(ge=0)


class ToyParams(DataParams):
    """The section `toy`."""

    phantom: Phantom


class Squares(BaseSystem):
    """The system `toy`."""

    name = "toy"
    target = "level"
    params = ToyParams

    def phantom(self, folder: Path, params: Phantom) -> None:
        """Write squares whose mean grey is 20 + 200 · level, plus noise."""
        random = np.random.default_rng(params.seed)
        rows = []
        for sheet in range(params.sheets):
            level = random.uniform()
            for square in range(params.squares):
                grey = 20 + 200 * level + random.normal(0, 10, (16, 16))
                name = f"{sheet:03d}_{square}.png"
                Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / name)
                rows.append((name, round(level, 3), f"sheet{sheet}"))
        pl.DataFrame(rows, ["image", "level", "sheet"], orient="row").write_csv(folder / TABLE)

    def read(self, source: Source) -> Listing:
        """List the squares; a level that is not a number is the row's fault."""
        content = source.text(TABLE)
        if content is None:
            raise SourceError(source.base, "no table", TABLE)
        lines = read_published(content, source.uri(TABLE), ("image", "level", "sheet"))
        level = number("level")
        dark = pl.when(level < 1 / 3).then(pl.lit("dark"))
        shade = dark.when(level < 2 / 3).then(pl.lit("middle")).otherwise(pl.lit("light"))
        table = lines.select(
            sample_id="image",
            uri="image",
            item=pl.lit(0),
            group="sheet",
            subset=pl.lit("squares"),
            level=level,
            shade=shade,
            line="line",
            fault=faults(TABLE, [(level.is_null(), pl.lit("level is not a number"))]),
        )
        return Listing(table, "sample", [TABLE])

    def rules(self) -> Sequence[Rule]:
        """A level is a share."""
        limits = {"column": "level", "min_value": 0, "max_value": 1}
        return [
            Rule("level", "ExpectColumnValuesToBeBetween", limits, "a level lies in 0–1", "all")
        ]


TOY = Squares()
