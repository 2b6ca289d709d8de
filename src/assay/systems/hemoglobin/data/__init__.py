"""Data of the system `hemoglobin`; its parts are nail, conjunctiva and fusion."""

SYSTEMS = {"hemoglobin.conjunctiva": "conjunctiva:CONJUNCTIVA", "hemoglobin.nail": "nail:NAIL"}
