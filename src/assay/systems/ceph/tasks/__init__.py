"""Tasks of the system `ceph`."""

from assay.contract import Task
from assay.systems.ceph.tasks.cvm import Maturation
from assay.systems.ceph.tasks.landmarks import Landmarks

TASKS: dict[str, Task] = {"ceph-cvm": Maturation(), "ceph-landmarks": Landmarks()}
