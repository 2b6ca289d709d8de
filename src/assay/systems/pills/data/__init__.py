"""Data of the system `pills`: photographs with boxes, and, apart from these, with masks."""

from assay.contract import System
from assay.systems.pills.data.aihub import AiHub
from assay.systems.pills.data.masks import Masks

SYSTEMS: dict[str, System] = {system.name: system for system in (AiHub(), Masks())}
