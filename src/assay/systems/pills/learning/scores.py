"""Scores of a closed set of drugs, by torchmetrics; rows of drugs never trained are counted, and apart.

Probabilities (n, C) stand over the class table: a column is a class id. A drug that training lacked is
nan: nothing is known of it, and no network could name it. Of several folds' rows each knows its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torchmetrics.functional.classification import multiclass_f1_score

Numbers = npt.NDArray[Any]
NAMES = ("top1", "top5", "macro_f1", "log_loss")
FIRST = 5
LEAST = 1e-7  # of a probability: float32 rounds what is below away


def drug_scores(probabilities: Numbers, drugs: Numbers) -> dict[str, float]:
    """Return `top1`, `top5`, `macro_f1`, `log_loss` of trained drugs, and `unseen_share` of the rows.

    A tie counts as lost: who gives all drugs the same chance has named none. The macro F1 is the mean
    over the drugs that stand in `drugs`. nan where no row is of a trained drug.

    Args:
        probabilities: (n, C) probabilities; nan of drugs never trained.
        drugs: (n,) class ids.
    """
    given = prob_of_true(probabilities, drugs)
    seen = ~np.isnan(given)
    scores = {"unseen_share": float(1 - seen.mean()) if len(seen) else float("nan")}
    if not seen.any():
        return dict.fromkeys(NAMES, float("nan")) | scores
    probabilities, drugs, given = probabilities[seen], drugs[seen].astype(np.int64), given[seen]
    # Others that are as likely or likelier; the true one is counted too, and taken off.
    above = (probabilities >= given[:, None]).sum(axis=1) - 1
    return {
        "top1": float((above == 0).mean()),
        "top5": float((above < FIRST).mean()),
        "macro_f1": _macro_f1(top1(probabilities), drugs),
        "log_loss": float(-np.log(np.maximum(given.astype(np.float64), LEAST)).mean()),
    } | scores


def top1(probabilities: Numbers) -> npt.NDArray[np.int64]:
    """Return the likeliest class id (n,); nan is not likely."""
    ids: npt.NDArray[np.int64] = np.where(np.isnan(probabilities), -1.0, probabilities).argmax(
        axis=1
    )
    return ids


def prob_of_true(probabilities: Numbers, drugs: Numbers) -> Numbers:
    """Return the probability (n,) of each row's own drug; nan where it was never trained."""
    known = drugs < probabilities.shape[1]
    given: Numbers = np.full(len(drugs), np.nan, probabilities.dtype)
    given[known] = probabilities[known, drugs[known].astype(np.int64)]
    return given


def _macro_f1(said: Numbers, true: Numbers) -> float:
    """Count over the few classes that occur: the table may have thousands."""
    ids, places = np.unique(np.concatenate([true, said]), return_inverse=True)
    if len(ids) == 1:
        return 1.0
    joined = torch.from_numpy(places)
    first, second = joined[: len(true)], joined[len(true) :]
    each = multiclass_f1_score(second, first, len(ids), average=None, validate_args=False)
    return float(each[np.isin(ids, true)].double().mean())
