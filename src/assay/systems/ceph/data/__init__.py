"""Data of the system `ceph`."""

from assay.contract import System
from assay.systems.ceph.data.aariz import Aariz

SYSTEMS: dict[str, System] = {"ceph": Aariz()}
