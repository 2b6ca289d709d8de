"""Data of the toy system."""

from assay.systems.toy.data.squares import Squares

from assay.contract import System

SYSTEMS: dict[str, System] = {"toy": Squares()}
