"""Tasks of the system `hemoglobin`."""

from assay.contract import Task
from assay.systems.hemoglobin.tasks.single import SingleModality

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        SingleModality("hemoglobin-conjunctiva", data="hemoglobin.conjunctiva"),
        SingleModality("hemoglobin-nail", data="hemoglobin.nail"),
    )
}
