"""Tasks of the system `pills`."""

TASKS = {
    "pills-classifier": "classifier:CLASSIFIER",
    "pills-detector": "detector:DETECTOR",
    "pills-segmentation": "segmentation:SEGMENTATION",
}
