"""Tasks of the toy system."""

from assay.systems.toy.tasks.level import Brightness

from assay.contract import Task

TASKS: dict[str, Task] = {"toy-level": Brightness()}
