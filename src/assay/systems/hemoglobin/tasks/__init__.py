"""Tasks of the system `hemoglobin`."""

TASKS = {"hemoglobin-conjunctiva": "single:CONJUNCTIVA", "hemoglobin-nail": "single:NAIL"}
