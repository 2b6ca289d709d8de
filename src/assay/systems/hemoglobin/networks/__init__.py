"""Networks of the system `hemoglobin`."""
