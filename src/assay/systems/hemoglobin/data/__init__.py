"""Data of the system `hemoglobin`; its parts are nail, conjunctiva and fusion."""

from assay.contract import System
from assay.systems.hemoglobin.data.conjunctiva import Conjunctiva

SYSTEMS: dict[str, System] = {system.name: system for system in (Conjunctiva(),)}
