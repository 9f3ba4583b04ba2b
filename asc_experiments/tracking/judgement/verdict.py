"""All that may be said of a study's best trial, in a sentence or more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.records import RunRecord
from asc_experiments.tracking.judgement.doubts import Judgement, judge_trial, teachers_of
from asc_experiments.tracking.judgement.teaching import teaching_in_words
from asc_experiments.tracking.judgement.winner import MOST_RIVALS, Winner, candidates_of, winner_of
from asc_experiments.tracking.trials import (
    SPLIT,
    best_trial,
)


@dataclass(frozen=True)
class StudyVerdict:
    """What may be said of a study's best trial.

    Attributes:
        best: its run.
        judgement: of it.
        winner: whether it is better than the others.
        teaching: whether its teachers gave it anything, in a sentence.
    """

    best: RunRecord
    judgement: Judgement
    winner: Winner
    teaching: str = ""

    @property
    def has_learned(self) -> bool:
        """Whether its students do more than guess."""
        return self.judgement.has_learned

    @property
    def sentence(self) -> str:
        """All of it; where nothing was learned, only that."""
        if not self.has_learned:
            return self.judgement.doubts[0]
        on_test = "It was chosen on the test fold, which flatters it." if self.best.tags.get(SPLIT) == "test" else ""
        return " ".join(filter(None, [*self.judgement.doubts, on_test, self.winner.sentence, self.teaching]))


def verdict_on(tracking: Tracking, trials: Sequence[RunRecord], study: str) -> StudyVerdict:
    """What may be said of a study's best trial.

    Args:
        tracking: the server.
        trials: the finished trials of the study.
        study: its name.

    Raises:
        AscError: if there are none.
    """
    best, among = best_trial(trials, study), candidates_of(trials)
    judged = judge_trial(tracking, best, teachers_of(tracking, best))
    teaching = teaching_in_words(tracking, best, among) if len(among) > 1 else ""
    return StudyVerdict(best, judged, winner_of(tracking, best, among, MOST_RIVALS), teaching)
