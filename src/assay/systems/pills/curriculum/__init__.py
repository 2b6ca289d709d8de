"""The curriculum of the system `pills`; no stage reaches this folder, so it makes none stale."""

CURRICULA = {"pills": "stage_gate:PILLS"}
