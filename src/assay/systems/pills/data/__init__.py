"""Data of the system `pills`: photographs with boxes, and, apart from these, with masks."""

SYSTEMS = {"pills": "aihub:PILLS", "pills.masks": "masks:PILLS_MASKS"}
