"""Tasks of the system `spectra`."""

TASKS = {"spectra-bayer": "bayer:BAYER"}
