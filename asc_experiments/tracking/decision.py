"""Which trial is better by more than noise: on clips that chose none of them, by students that chose none of them.

A study picks its best trial by the validation clips and the students of each trial. Both flatter the one that is
picked. So trials are compared on the test fold, by their students with fresh seeds where they were tried again; where
they were not, the interval is widened for having been picked among so many (Bonferroni). A study that chose on the test
fold itself has no clips left that did not: there fresh seeds do not undo the choice, and every trial counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from asc_experiments.metrics import GROUP, MACRO_ACCURACY
from asc_experiments.statistics import Evidence, Margin, margin
from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.records import RunRecord
from asc_experiments.tracking.evidence import REPLICATES, STUDENTS, evidence_of
from asc_experiments.tracking.trials import OBJECTIVE, REPLICATED, SPLIT, last_replicated

ReadEvidence = Callable[[str, str], Mapping[str, Evidence]]
"""Gives the tables of a run, by its id and the name of the file, by split; none where it keeps none."""


@dataclass(frozen=True, eq=False)
class Standing:
    """A trial as it enters a comparison.

    Attributes:
        trial: the trial's run.
        evidence: what its students answered in the test fold; None where its run keeps no such table.
        is_fresh: whether these students have fresh seeds.
        picked_from: how many trials it may have been picked from on account of these very answers.
    """

    trial: RunRecord
    evidence: Evidence | None
    is_fresh: bool
    picked_from: int

    @property
    def metric(self) -> str:
        """The objective, as it is measured in the test fold."""
        objective = self.trial.tags.get(OBJECTIVE, MACRO_ACCURACY)
        return objective if self.evidence is None else metric_on_test(objective, self.evidence)


def standing(tracking: Tracking, trial: RunRecord, trials: Sequence[RunRecord]) -> Standing:
    """A trial as it enters a comparison.

    Args:
        tracking: the server.
        trial: one of ``trials``.
        trials: all finished trials of its study.
    """
    return standing_among(partial(evidence_of, tracking), trial, last_replicated(trials), len(trials))


def standing_among(read: ReadEvidence, trial: RunRecord, again: Sequence[RunRecord], among: int) -> Standing:
    """A trial as it enters a comparison, by whatever reads its evidence.

    Args:
        read: gives the tables of a run, by its id and the name of the file, by split.
        trial: the trial.
        again: those of its study that were tried again with fresh seeds together.
        among: how many finished trials its study has.
    """
    is_fresh = trial in again and REPLICATED in trial.metrics
    table = read(trial.run_id, REPLICATES if is_fresh else STUDENTS).get("test")
    chose_on_test = trial.tags.get(SPLIT) == "test"
    return Standing(trial, table, is_fresh, len(again) if is_fresh and not chose_on_test else among)


def compare_standings(ours: Standing, theirs: Standing) -> Margin | None:
    """How much better one trial is than another in its objective; None where one of them keeps no evidence.

    The interval allows for the one having been picked as the best of its study.
    """
    if ours.evidence is None or theirs.evidence is None:
        return None
    return margin(ours.evidence, theirs.evidence, ours.metric, max(1, ours.picked_from - 1))


def metric_on_test(objective: str, table: Evidence) -> str:
    """The metric that stands for an objective in the test fold: itself where any of its clips count for it.

    Where no device is unseen there, held-out devices stand for the unseen ones; where none of that can be measured,
    the macro average does.
    """
    for metric in (objective, objective.replace(f"{GROUP}/unseen", f"{GROUP}/held_out")):
        try:
            table.counts(metric)
        except ValueError:
            continue
        return metric
    return MACRO_ACCURACY
