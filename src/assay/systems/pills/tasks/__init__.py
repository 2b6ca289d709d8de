"""Tasks of the system `pills`."""

from assay.contract import Task
from assay.systems.pills.tasks.classifier import Classifier
from assay.systems.pills.tasks.detector import Detector
from assay.systems.pills.tasks.segmentation import Segmentation

TASKS: dict[str, Task] = {task.name: task for task in (Classifier(), Detector(), Segmentation())}
