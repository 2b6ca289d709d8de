"""Tasks of the system `spectra`."""

from assay.contract import Task
from assay.systems.spectra.tasks.bayer import Bayer

TASKS: dict[str, Task] = {"spectra-bayer": Bayer()}
