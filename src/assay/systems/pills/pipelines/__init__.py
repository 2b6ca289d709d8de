"""Pipelines of the system `pills`."""

PIPELINES = {"pills-combo": "combo:PILLS_COMBO"}
