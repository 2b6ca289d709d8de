"""Data of `spectra`: metasurface structures and what each cell of the sensor gets, as `.npy` parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from threadpoolctl import threadpool_limits

from assay.contract.base_system import BaseSystem
from assay.contract.listing import Listing
from assay.errors import SourceError
from assay.systems.spectra.data.params import SpectraParams
from assay.systems.spectra.data.parts import find_parts, oddities
from assay.systems.spectra.data.power import MEAN

if TYPE_CHECKING:
    from assay.contract.checks import Check, Rule
    from assay.contract.traces import KeptData, Traces
    from assay.manifest.source import Source
    from assay.manifest.streamed import Streamed
    from assay.systems.spectra.data.params import Phantom, SpectraIngest
    from assay.systems.spectra.data.stream import Write


class Metasurface(BaseSystem):
    """The system `spectra`."""

    name = "spectra"
    target = "mean"
    quantities = (MEAN,)
    is_visible = True
    params = SpectraParams

    def phantom(self, folder: Path, params: Phantom) -> None:
        """Write a phantom of the published parts."""
        from assay.systems.spectra.data.phantom import write_set

        with threadpool_limits(1, "blas"):  # see `stream`
            write_set(folder, params)

    def read(self, source: Source) -> Listing:
        """List the rows by the headers of their files; `stream` reads what they hold.

        Raises:
            SourceError: a file is not what its header says, or belongs to no part.
        """
        parts = find_parts(source)
        for said in oddities(source, parts):
            print(f"  {said}")
        tables = [
            pl.select(item=pl.int_range(len(part)), uri=pl.lit(part.structures.name)).with_columns(
                sample_id=f"{part.number}-" + pl.col("item").cast(pl.String)
            )
            for part in parts
        ]
        none = {"group": pl.String, "mean": pl.Float64, "fault": pl.String}
        table = pl.concat(tables).with_columns(
            pl.lit(None, dtype=kind).alias(name) for name, kind in none.items()
        )
        files = [file.name for part in parts for file in part.files if file != part.structures]
        return Listing(table.with_columns(subset="uri"), "content", files)

    def stream(self, source: Source, params: SpectraIngest, write: Write) -> Streamed:
        """Judge every row, and write the targets of the usable ones.

        One thread: the number of BLAS's would change the last bits, and on a machine at work two of them
        wait for each other (the phantom took minutes instead of 3 s).

        Raises:
            SourceError: the arrays are not what the parameters or their kind say.
        """
        from assay.systems.spectra.data.stream import stream_parts

        parts = find_parts(source)
        if parts[0].side != params.size:
            raise SourceError(
                source.base, f"structures of {parts[0].side} px", f"{params.size} px (ingest.size)",
                f"dvc exp run -S {self.name}.ingest.size={parts[0].side}",
            )  # fmt: skip
        with threadpool_limits(1, "blas"):
            streamed = stream_parts(parts, params, write)
        for part, counts in zip(parts, streamed.facts["parts"], strict=True):
            said = ", ".join(f"{count} {reason}" for reason, count in counts.items())
            print(f"  part {part.number}: {len(part)} rows, {said}")
        zero, unit = streamed.facts["values"]
        print(f"  structures hold {zero} and {unit}, spectra are stored {streamed.facts['stored']}")
        return streamed

    def rules(self) -> Sequence[Rule]:
        """Power is conserved; see `labels`."""
        from assay.systems.spectra.data import labels

        return labels.rules()

    def checks(self, table: pl.DataFrame) -> Sequence[Check]:
        """Tell premises and parts; see `labels`."""
        from assay.systems.spectra.data import labels

        return labels.checks(table)

    def traces(self, table: pl.DataFrame, stored: KeptData) -> Traces:
        """Return what thin plates of these forms would let through, and the spectra; see `traces`."""
        from assay.systems.spectra.data.traces import spectra_traces

        return spectra_traces(table, stored)


SPECTRA = Metasurface()
