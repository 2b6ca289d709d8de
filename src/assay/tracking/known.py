"""Of how many known results on the same rows one is the best: counted, for a sweep leaves it nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.learning.claims import other_metrics
from assay.manifest.layout import Layout
from assay.runs.files import read_json
from assay.runs.scores import SCORES, read_scores

if TYPE_CHECKING:
    from assay.contract.scored import Scored
    from assay.tracking.results import DvcCache, Result


@dataclass(frozen=True)
class Known:
    """Every result that this clone knows, as far as its DVC cache holds the files."""

    results: Sequence[Result]
    cache: DvcCache

    def best_of(self, task: Scored, scores: Mapping[str, Any], record: Mapping[str, Any]) -> int:
        """Return of how many it is the best by the headline; what it states itself where that is more.

        Equal numbers count once: nothing was chosen between them. Those of another version of the task's
        metrics mean something else, and do not count.

        Args:
            task: of the result.
            scores: as `runs.scores` keeps them.
            record: the content of its `run.json`.
        """
        stated: int = scores.get("best_of", 1)
        if other_metrics(task, scores):
            return stated
        score, mine = task.headline, set_of(task, scores, record)
        others = {
            theirs[score.metric]["value"]
            for theirs, its in self._of(task)
            if set_of(task, theirs, its) == mine and not other_metrics(task, theirs)
        }
        own = scores[score.metric]["value"]
        is_best = all(score.gain(own, each) >= 0 for each in others)
        return max(stated, len(others | {own}) if is_best else 1)

    def _of(self, task: Scored) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Yield scores and record of each result of a task."""
        for result in self.results:
            scores = result.outs.get(f"reports/{task.name}/{SCORES}")
            if result.task == task.name and scores is not None:
                files = self.cache.path(scores), self.cache.path(result.record)
                if files[0] and files[1]:
                    yield read_scores(files[0]), read_json(files[1])


def set_of(task: Scored, scores: Mapping[str, Any], record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what names the rows of a result: their table by digest, the fold, how many of how many."""
    table = record["inputs"].get(str(Layout(task.data).trainval))
    fold = record["params"].get(task.name, {}).get("train", {}).get("fold")
    return table, fold, scores["rows"], scores["groups"]
