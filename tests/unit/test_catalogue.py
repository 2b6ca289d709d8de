"""What the catalogue says of how a version was trained."""

from __future__ import annotations

from tests.history_set import job

from assay.registry.catalogue import _chosen
from assay.runs.record import trainings


def test_the_chosen_epoch_of_each_training_or_the_configurations_left() -> None:
    params = {"toy": {"train": {"epochs": 9}}}
    record = {"task": "toy", "params": params, "chosen": {"epoch": 3.0}, "key": "k"}
    assert _chosen(record) == "epoch 3 of 9"
    folds = {"0": {"chosen": {"epoch": 1}, "key": "a"}, "1": {"chosen": {"epoch": 2}, "key": "b"}}
    assert _chosen({**record, "folds": folds}) == "epoch 1, 2 of 9"
    grid = {**record, "params": {"toy": {"train": {}}}, "jobs": [job(1, n) for n in range(8)]}
    said = "8 trainings, of which are left: p1-net_0.in1k, p2-net_1.in1k"
    assert _chosen(grid) == said
    keys = [each["key"] for each in trainings(grid).values()]
    assert keys == [job(1, place)["key"] for place in range(8)]
