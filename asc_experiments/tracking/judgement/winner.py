"""Whether the best trial of a study is better than the others by more than noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from asc_experiments.statistics import Margin
from asc_experiments.statistics.settling import settling_in_words, what_settles
from asc_experiments.statistics.wording import clips_in_words, counted, margin_in_words
from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.records import RunRecord
from asc_experiments.tracking.decision import Standing, compare_standings, standing
from asc_experiments.tracking.trials import (
    CELL,
    OBJECTIVE,
    OBJECTIVE_VALUE,
    TRIAL,
    distinct_trials,
    last_replicated,
)

RUN_AGAIN = "run the study again under another name; older runs keep no answers by place"
MOST_RIVALS = 3
"""Trials that may be as good as the best one: where there is no need for all, so many are looked for."""


@dataclass(frozen=True)
class Rival:
    """A trial that cannot be told apart from the best.

    Attributes:
        trial: its run.
        margin: of the best over it; None where one of them keeps no answers.
        settling: what would tell them apart.
    """

    trial: RunRecord
    margin: Margin | None
    settling: str


@dataclass(frozen=True)
class Winner:
    """Whether the best trial of a study is better than all others by more than noise.

    Attributes:
        trial: the best.
        others: how many others have finished.
        rivals: those that cannot be told apart from it, nearest in the objective first.
        clips: what they were compared on, in words.
        compared: with how many of the others it was compared.
    """

    trial: RunRecord
    others: int
    rivals: tuple[Rival, ...]
    clips: str
    compared: int

    @property
    def is_clear(self) -> bool:
        """Whether it is better than every other."""
        return self.others > 0 and not self.rivals

    @property
    def sentence(self) -> str:
        """Whether there is a winner; where there is none, why and what would settle it."""
        number = self.trial.tags.get(TRIAL, "?")
        if not self.others:
            return "No winner yet: one trial has finished, and there is nothing to compare it with."
        among = f"{counted(self.others, 'other trial')} in {self.clips}"
        if not self.rivals:
            return f"Trial {number} is better by more than noise than {among}."
        nearest = self.rivals[0]
        said = "no difference known" if nearest.margin is None else margin_in_words(nearest.margin)
        least = "at least " if self.compared < self.others else ""
        return (
            f"No winner yet: trial {number} cannot be told apart from {least}{len(self.rivals):,} of {among}. "
            f"Nearest is trial {nearest.trial.tags.get(TRIAL, '?')} ({said}). "
            f"{settling_in_words('To settle it', nearest.settling)}"
        )


def winner_of(tracking: Tracking, best: RunRecord, trials: Sequence[RunRecord], most: int | None = None) -> Winner:
    """Whether the best trial is better than the others of its study by more than noise.

    All are compared in the objective on the test fold, whose clips chose none of them (unless the study did so).

    Args:
        tracking: the server.
        best: the best trial.
        trials: the trials that are compared (:func:`candidates_of`).
        most: stop once so many rivals are found; None looks at every trial.
    """
    others = [other for other in trials if other.run_id != best.run_id]
    others.sort(key=lambda other: abs(objective_of(other) - objective_of(best)))
    ours = standing(tracking, best, trials)
    rivals: list[Rival] = []
    compared = 0
    for other in others:
        if most is not None and len(rivals) >= most:
            break
        rivals += _rival_of(ours, standing(tracking, other, trials))
        compared += 1
    clips = best.tags.get(OBJECTIVE, "the objective")
    if ours.evidence is not None and not is_counted_exactly(best):
        clips = f"{ours.metric} on {clips_in_words(ours.evidence, ours.metric)}"
    return Winner(best, len(others), tuple(rivals), clips, compared)


def candidates_of(trials: Sequence[RunRecord]) -> list[RunRecord]:
    """The trials of a study that are compared, one a cell: those tried again with fresh seeds, else the latest."""
    again = last_replicated(trials)
    cells = {trial.tags[CELL] for trial in again if CELL in trial.tags}
    others = [trial for trial in distinct_trials(trials) if trial not in again and trial.tags.get(CELL) not in cells]
    return [*again, *others]


def is_counted_exactly(trial: RunRecord) -> bool:
    """Whether a trial's objective is a complexity, which has no noise."""
    return trial.tags.get(OBJECTIVE, "").startswith("complexity/")


def _rival_of(best: Standing, other: Standing) -> list[Rival]:
    """The other trial as a rival, where it cannot be told apart from the best."""
    if is_counted_exactly(best.trial):
        is_equal = objective_of(best.trial) == objective_of(other.trial)
        return [Rival(other.trial, None, "another objective to trade it against")] if is_equal else []
    found = compare_standings(best, other)
    if found is None or best.evidence is None or other.evidence is None:
        return [Rival(other.trial, None, RUN_AGAIN)]
    return [] if found.is_better else [Rival(other.trial, found, what_settles(best.evidence, other.evidence, found))]


def objective_of(trial: RunRecord) -> float:
    """What a trial reached; nan where that is not known."""
    return trial.metrics.get(OBJECTIVE_VALUE, math.nan)
