"""Tasks of the toy system."""

TASKS = {
    "toy-level": "level:LEVEL",
    "toy-shade": "shade:SHADE",
}
