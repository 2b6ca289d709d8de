"""The drugs that the rows of a training name: their places among the logits, and what each weighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from assay.systems.pills.learning.weights import effective_number, inverse_frequency

if TYPE_CHECKING:
    from assay.manifest.rows import Rows
    from assay.systems.pills.tasks.classifier_params import ClassifierParams, ClassifierTrain

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
