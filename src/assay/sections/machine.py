"""The two sections of `params.yaml` that all tasks share: `machine`, and `runtime`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from assay.sections.section import Section

RUNTIME = "runtime"
Workers = Annotated[int, Field(ge=0)] | Literal["auto"]


class Machine(Section):
    """What is part of every task's result: declared, never adapted; a task's `train` may have its own."""

    device: Literal["cpu", "cuda"]
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]
    threads: int = Field(ge=1)

    @model_validator(mode="after")
    def _precise(self) -> Self:
        if self.precision == "16-mixed" and self.device == "cpu":
            raise ValueError("precision 16-mixed needs device cuda")
        return self


class Runtime(Section):
    """What changes no byte of any output: no stage declares it."""

    executor: Literal["local", "ray"] = Field(
        "local", description="where trainings are done: on this machine, or wherever Ray has room"
    )
    n_jobs: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        1, description="trainings side by side; auto: one a GPU, or else one a core"
    )
    num_workers: Workers = Field(
        0, description="loader processes; auto tries some, and takes the fastest"
    )
    prefetch_factor: int = Field(
        2, ge=1, le=64, description="batches each loader process keeps ready"
    )
    checkpoint_every: int = Field(
        1, ge=1, description="epochs between the states a killed training goes on from"
    )
    checkpoint_keep: Annotated[int, Field(ge=1)] | Literal["all"] = Field(
        1, description="states kept while a training runs, the newest"
    )
