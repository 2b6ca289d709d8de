"""The contract: what a system (data) and a task (what is trained) give to the platform.

The platform never names a system. `assay.systems.<system>.data` holds `SYSTEMS`, and
`assay.systems.<system>.tasks` holds `TASKS`; both are found by name, when somebody asks. They stand
apart so that a change of a model leaves the data's stages as they are. Importing them is cheap: torch and
friends are imported inside the methods that need them.

The key of everything is the section of `params.yaml`: `hemoglobin.conjunctiva` is data (a part of a
system), `hemoglobin-conjunctiva` is a task. `ingest@<data>`, `train@<task>`, `data/<data>/`,
`models/<task>/`, `reports/<either>/` follow from it.
"""
