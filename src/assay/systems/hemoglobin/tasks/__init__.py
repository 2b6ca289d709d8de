"""Tasks of the system `hemoglobin`."""

TASKS = {
    "hemoglobin-conjunctiva": "single:CONJUNCTIVA",
    "hemoglobin-fusion": "fusion:FUSION",
    "hemoglobin-nail": "single:NAIL",
}
"""The section of a task in `params.yaml`."""

TRAININGS = {"hemoglobin-fusion": "fusion_member:MEMBER"}
"""What one training is of a task that is a grid of them."""
