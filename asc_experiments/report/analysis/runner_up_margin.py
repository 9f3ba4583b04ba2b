"""How the best trial stands among the others: which of them cannot be told apart from it.

Trials are told apart by the margin on the test fold, whose clips chose none of them, with the error of places and of
students, widened for the best having been picked among so many (:mod:`asc_experiments.statistics`). A trial with one
student, or of a version that kept no answers, cannot be told apart from any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from asc_experiments.metrics import OVERALL_ACCURACY
from asc_experiments.report.analysis.distillation_gain import Gain
from asc_experiments.report.data.study_runs import StudyRuns, number_of, objective_name, spread
from asc_experiments.statistics import Margin
from asc_experiments.statistics.margin import ONE_SEED
from asc_experiments.statistics.settling import what_settles
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.decision import Standing, compare_standings
from asc_experiments.tracking.trials import (
    OBJECTIVE_VALUE,
    REPLICATED,
    REPLICATED_STD,
    REPLICATES,
    keys_of,
)

NO_EVIDENCE = "not known: its run keeps no table of what students answered"


@dataclass(frozen=True)
class Score:
    """A mean over ``n`` students, with its standard deviation where there are several."""

    value: float
    std: float | None
    n: int


class Worth(Enum):
    """What a study says of teaching at all, beside labels alone."""

    SHOWN = "the best taught student is better than labels alone by more than noise"
    NOT_SHOWN = "labels alone cannot be told apart from the best taught student"
    REFUTED = "labels alone are better than every taught student by more than noise"
    NO_REFERENCE = "nobody learned from labels alone"
    NO_TEACHER = "nobody had a teacher"


@dataclass(frozen=True)
class Rival:
    """A trial that cannot be told apart from the best.

    Attributes:
        number: of the trial.
        taught_by: its teachers in short.
        behind: how far, in the objective.
        has_same_teachers: whether only its other settings differ from the best's.
        has_teachers: whether it has any.
        margin: of the best over it in the test fold; None where one of them keeps no answers.
        settling: what would tell the two apart; empty where nothing is known of that.
        has_same_kinds: whether its teachers are of the same kinds as the best's, in whatever number.
    """

    number: int
    taught_by: str
    behind: float
    has_same_teachers: bool
    has_teachers: bool
    margin: Margin | None = None
    settling: str = ""
    has_same_kinds: bool = False


@dataclass(frozen=True)
class Lead:
    """How the best trial stands among the others.

    Attributes:
        score: what it reached in the objective.
        others: how many trials it was compared with.
        rivals: those that cannot be told apart from it, best first.
        worth: what the study says of teaching at all.
        metric: what they were compared by in the test fold.
        unknown: why it is not known how far chance moves the best; empty where it is.
        left_out: how many trials were not compared: those far behind in the objective, or not tried again.
        ties: how many others reached the very same value of the objective.
    """

    score: Score
    others: int
    rivals: tuple[Rival, ...]
    worth: Worth
    metric: str
    unknown: str = ""
    left_out: int = 0
    ties: int = 0

    @property
    def is_measured(self) -> bool:
        """Whether it is known how far chance alone moves the best trial."""
        return not self.unknown

    @property
    def contenders(self) -> tuple[Rival, ...]:
        """The rivals that are an answer of their own to the question which teachers to use."""
        return tuple(rival for rival in self.rivals if not rival.has_same_teachers)

    @property
    def is_clear(self) -> bool:
        """Whether the best is better than every trial with other teachers by more than noise."""
        return self.is_measured and self.others > 0 and not self.contenders


def lead_of(study: StudyRuns, best: RunRecord, gains: Sequence[Gain] = ()) -> Lead:
    """How a study's best trial stands.

    Args:
        study: the runs.
        best: its best trial. Where the best were tried again with fresh seeds it is compared with those, and with
            every trial on labels alone.
        gains: of taught trials over labels alone, for a study that has no such trial itself.
    """
    pool = list(study.again if best in study.again and len(study.again) > 1 else study.compared)
    pool += [trial for trial in study.compared if not keys_of(trial) and trial not in pool]
    others = [trial for trial in pool if trial != best]
    ours = study.standing(best)
    found = [_rival(study, ours, trial) for trial in others]
    rivals = sorted((rival for rival in found if rival is not None), key=lambda rival: rival.behind)
    score = score_of(study, best)
    return Lead(
        score=score,
        others=len(others),
        rivals=tuple(rivals),
        worth=_worth(study, best, rivals, gains),
        metric=ours.metric,
        unknown=_unknown(ours),
        left_out=len(study.trials) - 1 - len(others),
        ties=sum(bool(score_of(study, trial).value == score.value) for trial in others),
    )


def score_of(study: StudyRuns, trial: RunRecord) -> Score:
    """What a trial reached in the objective: with fresh seeds where it was tried again with the last ones."""
    metrics = trial.metrics
    if trial in study.again:
        n = int(metrics.get(REPLICATES, 1))
        return Score(metrics[REPLICATED], metrics.get(REPLICATED_STD) if n > 1 else None, n)
    std = spread(metrics, objective_name(study.objective, study.split))
    return Score(metrics[OBJECTIVE_VALUE], std, study.count(trial))


def _unknown(ours: Standing) -> str:
    if ours.evidence is None:
        return NO_EVIDENCE
    return ONE_SEED if ours.evidence.students < 2 else ""


def _rival(study: StudyRuns, ours: Standing, trial: RunRecord) -> Rival | None:
    """A trial beside the best; None where the best is better by more than noise."""
    theirs = study.standing(trial) if ours.evidence is not None else None
    found = None if theirs is None else compare_standings(ours, theirs)
    if found is not None and found.is_better:
        return None
    settling = ""
    if found is not None and ours.evidence is not None and theirs is not None and theirs.evidence is not None:
        settling = what_settles(ours.evidence, theirs.evidence, found)
    behind = study.sign * (score_of(study, ours.trial).value - score_of(study, trial).value)
    taught_by = study.taught_by(trial)
    is_same = taught_by == study.taught_by(ours.trial)
    is_alike = is_same or study.kinds_of(trial) == study.kinds_of(ours.trial)
    return Rival(number_of(trial), taught_by, behind, is_same, bool(keys_of(trial)), found, settling, is_alike)


def _worth(study: StudyRuns, best: RunRecord, rivals: Sequence[Rival], gains: Sequence[Gain]) -> Worth:
    taught = [trial for trial in study.trials if keys_of(trial)]
    if not taught:
        return Worth.NO_TEACHER
    if not keys_of(best):
        return Worth.NOT_SHOWN if any(rival.has_teachers for rival in rivals) else Worth.REFUTED
    if len(taught) < len(study.trials):
        return Worth.NOT_SHOWN if any(not rival.has_teachers for rival in rivals) else Worth.SHOWN
    gain = next((gain for gain in gains if gain.trial == number_of(best)), None)
    if gain is None:
        return Worth.NO_REFERENCE
    overall = gain.margins.get(OVERALL_ACCURACY)
    return Worth.SHOWN if overall is not None and overall.is_better else Worth.NOT_SHOWN
