"""Data of the system `hemoglobin`; its parts are nail, conjunctiva and fusion."""

SYSTEMS = {
    "hemoglobin.conjunctiva": "conjunctiva:CONJUNCTIVA",
    "hemoglobin.fusion": "fusion:FUSION",
    "hemoglobin.nail": "nail:NAIL",
}
