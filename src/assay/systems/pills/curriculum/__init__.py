"""The curriculum of the system `pills`; no stage depends on this folder, so it makes none stale."""

from __future__ import annotations

from assay.systems.pills.curriculum.stage_gate import StageGate

CURRICULA: dict[str, StageGate] = {each.data: each for each in (StageGate(),)}
