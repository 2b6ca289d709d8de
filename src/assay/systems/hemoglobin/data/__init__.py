"""Data of the system `hemoglobin`; its parts are nail, conjunctiva and fusion."""

from assay.contract import System
from assay.systems.hemoglobin.data.conjunctiva import Conjunctiva
from assay.systems.hemoglobin.data.nail import Nail

SYSTEMS: dict[str, System] = {system.name: system for system in (Conjunctiva(), Nail())}
