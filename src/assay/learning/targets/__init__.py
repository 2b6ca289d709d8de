"""What a plan's targets are: the question, and four answers; a system may have another of its own."""

from assay.learning.targets.classes import Classes
from assay.learning.targets.joint import Joint, target_points
from assay.learning.targets.points import Points
from assay.learning.targets.target import Target
from assay.learning.targets.values import Values

__all__ = ["Classes", "Joint", "Points", "Target", "Values", "target_points"]
