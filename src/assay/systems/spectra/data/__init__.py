"""Data of the system `spectra`."""

SYSTEMS = {"spectra": "metasurface:SPECTRA"}
