"""The plan of a classifier's training: cross-entropy over the drugs named, AdamW, warm-up and cosine."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from assay.contract.checks import Check
from assay.errors import UnreadableError
from assay.jobs.train import train_model
from assay.learning.determinism import set_determinism
from assay.learning.schedules import warmup_cosine
from assay.learning.targets import Classes
from assay.learning.training_spec import ParamGroup, TrainData, TrainingSpec
from assay.learning.vision.losses import ClassLoss
from assay.runs.start import first_weights
from assay.systems.pills.learning.transforms import Looks, PillTransform
from assay.systems.pills.learning.weights import effective_number, inverse_frequency
from assay.systems.pills.tasks import classifier_model

if TYPE_CHECKING:
    from assay.contract.task import Task
    from assay.learning.training_spec import Floats, Metrics, Targets
    from assay.manifest.rows import Rows
    from assay.runs.run import Run
    from assay.systems.pills.tasks.classifier_model import DrugNetwork
    from assay.systems.pills.tasks.classifier_params import ClassifierParams, ClassifierTrain

HELD = (
    1 << 30
)  # bytes of cuts that are made once, and kept in memory; more are made as they are shown
SHOWN = 8  # drugs that a line names


@dataclass(frozen=True)
class KnownDrugs:
    """The drugs that the rows of a training name.

    Attributes:
        ids: class ids, ascending; a drug's place here is its logit.
        codes: K-code of each.
        counts: training rows of each; 0 where validation alone has it.
    """

    ids: npt.NDArray[np.int64]
    codes: tuple[str, ...]
    counts: npt.NDArray[np.int64]

    def places(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Return the place (n,) of each row's drug."""
        found: npt.NDArray[np.int64] = np.searchsorted(self.ids, rows.columns["drug"])
        return found

    def codes_of(self, which: npt.NDArray[np.bool_]) -> str:
        """Return the first of the chosen drugs, for a line."""
        chosen = np.array(self.codes)[which]
        return ", ".join(chosen[:SHOWN]) + (" …" if len(chosen) > SHOWN else "")


def run_training(task: Task, train: Rows, valid: Rows, params: ClassifierParams, run: Run) -> None:
    """Build the network, and carry its plan out."""
    set_determinism(params.train.threads)
    drugs = known_drugs(train, valid)
    tell_unseen(drugs, valid)
    first = first_weights(run.task, params.model.weights, params.model.backbone)
    network, start = classifier_model.build(
        params.model, first, Path(), params.train.seed, drugs.ids, drugs.counts
    )
    learns, validates = (make_set(rows, drugs) for rows in (train, valid))
    told = replace(run, facts={**run.facts, "classes": record_of(drugs, params)})
    train_model(make_spec(task, network, drugs, params), learns, validates, told, start)


def known_drugs(train: Rows, valid: Rows) -> KnownDrugs:
    """Return the drugs that training or validation names.

    An id's code is that of its first row, training first; where another row has another code under the
    same id, the preflight finds that the way back from id to code is not the label.
    """
    ids, codes = (
        np.concatenate([rows.columns[name] for rows in (train, valid)]) for name in ("drug", "code")
    )
    known, first = np.unique(ids.astype(np.int64), return_index=True)
    places = np.searchsorted(known, train.columns["drug"])
    counts = np.bincount(places, minlength=len(known)).astype(np.int64)
    return KnownDrugs(known, tuple(str(codes[row]) for row in first), counts)


def tell_unseen(drugs: KnownDrugs, valid: Rows) -> None:
    """Say which drugs validation has and training lacks: no network can name them."""
    unseen = drugs.counts == 0
    if unseen.any():
        rows = int(unseen[drugs.places(valid)].sum())
        print(
            f"{int(unseen.sum())} of {len(drugs.ids)} drugs were never trained, {rows} of"
            f" {len(valid)} validation pills (unseen share {rows / len(valid):.1%}): scores are of the"
            f" others; they are {drugs.codes_of(unseen)}",
            flush=True,
        )


def make_set(rows: Rows, drugs: KnownDrugs) -> TrainData:
    """Return what is trained on: places among the drugs, which the preflight holds against the codes."""
    images: Any = rows.image
    if np.prod(images.shape) <= HELD:
        # Where an original is read, and cannot be, the loader leaves it out when it comes to it.
        with contextlib.suppress(UnreadableError):
            images = images[:]
    return TrainData(images, drugs.places(rows), rows.columns["code"], rows.columns["sample_id"])


def make_spec(
    task: Task, network: DrugNetwork, drugs: KnownDrugs, params: ClassifierParams
) -> TrainingSpec:
    """Return the training of `network`; epochs are scored as predictions are."""
    how = params.train

    def metrics(outputs: Floats, targets: Targets) -> Metrics:
        said = network.probabilities(torch.from_numpy(outputs).to(network.ids.device)).cpu().numpy()
        return task.metrics(said, drugs.ids[targets].astype(np.float32)[:, None])

    return TrainingSpec(
        network=network,
        loss=ClassLoss("cross_entropy", class_weights(drugs, how)),
        preprocess=PillTransform(looks_of(how), params.model.input_size),
        metrics=metrics,
        rank=task.rank,
        param_groups=[
            ParamGroup(
                "network",
                list(network.parameters()),
                warmup_cosine(how.epochs, how.warmup_epochs, how.lr, how.lr_final),
                how.lr,
            )
        ],
        config=how,
        drop_last=how.drop_last,
        targets=Classes(drugs.codes, gaps=True),
        balanced=how.balanced_sampler,
        invariants=lambda: [imprints(how)],
    )


def class_weights(drugs: KnownDrugs, how: ClassifierTrain) -> tuple[float, ...]:
    """Return the weight of each drug in the loss, 0 for those never trained, which are told."""
    if how.class_weights == "inv_freq":
        weights = inverse_frequency(drugs.counts, how.smooth)
    elif how.class_weights == "effective_num":
        weights = effective_number(drugs.counts, how.beta)
    else:
        weights = (drugs.counts > 0).astype(np.float64)
    absent = weights == 0
    if absent.any():
        print(f"warning: weight 0, no training row: {drugs.codes_of(absent)}", flush=True)
    return tuple(weights.tolist())


def looks_of(how: ClassifierTrain) -> Looks:
    """Return what a training image may become."""
    brightness, contrast, saturation, hue = how.color_jitter
    return Looks(
        (how.scale[0], how.scale[1]), (how.ratio[0], how.ratio[1]), how.fliplr, how.degrees,
        (brightness, contrast, saturation, hue), how.color_jitter_cast,
        how.randaugment, how.magnitude, how.autoaugment,
    )  # fmt: skip


def imprints(how: ClassifierTrain) -> Check:
    """Tell how many imprints are mirrored; a set whose drugs need no imprint may want it."""
    found = f"mirrored with probability {how.fliplr:g}" if how.fliplr else "never mirrored"
    return Check("imprints", True, "told; train.fliplr above 0 mirrors what is printed", found, 1)


def record_of(drugs: KnownDrugs, params: ClassifierParams) -> dict[str, Any]:
    """Return what `run.json` says of the classes; their split and test policy stand under `data`."""
    how = params.train
    ids = [int(number) for number in drugs.ids]
    return {
        "names": list(drugs.codes),
        "class_to_idx": dict(zip(drugs.codes, ids, strict=True)),
        "train_counts": dict(zip(drugs.codes, drugs.counts.tolist(), strict=True)),
        "weights": how.class_weights,
        "sampler": how.balanced_sampler,
        "cut_size": params.model.size,
        "view": params.model.view,
    }
