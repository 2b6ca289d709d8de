"""Data of the system `spectra`."""

from assay.contract import System
from assay.systems.spectra.data.metasurface import Metasurface

SYSTEMS: dict[str, System] = {"spectra": Metasurface()}
