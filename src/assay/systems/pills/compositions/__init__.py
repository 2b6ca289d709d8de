"""Compositions of the system `pills`."""

COMPOSITIONS = {"pills-combo": "combo:PILLS_COMBO"}
