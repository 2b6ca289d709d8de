"""Where the files of one set of data lie; the only place that spells their names.

The `sealed_*` paths are the test set's. Only ingest, split, the gates and the opener of the seal may
name them: the repository's truths look for these two words.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Paths of the data set `name`, relative to the repository's root."""

    name: str

    @property
    def folder(self) -> Path:
        return Path("data") / self.name

    @property
    def reports(self) -> Path:
        return Path("reports") / self.name

    @property
    def snapshot(self) -> Path:
        return Path("data") / f"{self.name}.source.json"

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest.parquet"

    @property
    def similar(self) -> Path:
        return self.folder / "similar.parquet"

    @property
    def splits(self) -> Path:
        return self.folder / "splits.parquet"

    @property
    def trainval(self) -> Path:
        return self.folder / "trainval.parquet"

    @property
    def trainval_pixels(self) -> Path:
        return self.folder / "trainval.npy"

    @property
    def sealed(self) -> Path:
        return self.folder / "test.parquet"

    @property
    def sealed_pixels(self) -> Path:
        return self.folder / "test.npy"

    @property
    def labels_verdict(self) -> Path:
        return self.reports / "labels.json"

    @property
    def labels_page(self) -> Path:
        return self.reports / "labels.html"

    @property
    def leakage_page(self) -> Path:
        return self.reports / "leakage.html"

    @property
    def leakage_verdict(self) -> Path:
        return self.reports / "leakage.json"
