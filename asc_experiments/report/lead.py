"""How far ahead the best trial is: which others the noise of seeds alone could have put in its place.

Two trials are told apart by Welch's t-test on their students ("The generalization of 'Student's' problem when several
different population variances are involved", Biometrika 1947); where the best was tried again beside the baseline, by
the interval of that difference, which knows of the clips too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from asc_experiments.report.gains import Gain
from asc_experiments.report.runs import StudyRuns, number_of, objective_name, spread
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import (
    BASELINE,
    DIFFERENCE,
    OBJECTIVE_VALUE,
    REPLICATED,
    REPLICATED_STD,
    REPLICATES,
    keys_of,
    last_replicated,
)

LEVEL = 0.05
"""Of the test that tells two trials apart."""
_ERRORS = 2.0
"""Standard errors that a gain over labels alone must be from 0."""


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
    """

    number: int
    taught_by: str
    behind: float
    has_same_teachers: bool
    has_teachers: bool


@dataclass(frozen=True)
class Lead:
    """How the best trial stands among the others.

    Attributes:
        score: what it reached in the objective.
        others: how many trials it was compared with.
        rivals: those that cannot be told apart from it, best first; empty where no spread is known.
        worth: what the study says of teaching at all.
    """

    score: Score
    others: int
    rivals: tuple[Rival, ...]
    worth: Worth

    @property
    def is_measured(self) -> bool:
        """Whether it is known how far seeds alone move a trial."""
        return self.score.std is not None

    @property
    def contenders(self) -> tuple[Rival, ...]:
        """The rivals that are an answer of their own to the question which teachers to use."""
        return tuple(rival for rival in self.rivals if not rival.has_same_teachers)


def lead_of(study: StudyRuns, best: RunRecord, gains: Sequence[Gain] = ()) -> Lead:
    """The lead of a study's best trial.

    Args:
        study: the runs.
        best: its best trial. Where the best were tried again with fresh seeds it is compared with those, and with
            every trial on labels alone.
        gains: of taught trials over labels alone, for a study that has no such trial itself.
    """
    again = last_replicated(study.trials)
    pool = again if best in again else list(study.trials)
    pool = pool + [trial for trial in study.trials if not keys_of(trial) and trial not in pool]
    score = score_of(study, best)
    others = [trial for trial in pool if trial != best]
    near = [trial for trial in others if score.std is not None and not _is_apart(study, best, trial)]
    rivals = [_rival(study, best, score, trial) for trial in near]
    rivals.sort(key=lambda rival: rival.behind)
    return Lead(score, len(others), tuple(rivals), _worth(study, best, rivals, score.std is not None, gains))


def score_of(study: StudyRuns, trial: RunRecord) -> Score:
    """What a trial reached in the objective: with fresh seeds where it was tried again with the last ones."""
    metrics = trial.metrics
    if trial in last_replicated(study.trials):
        n = int(metrics.get(REPLICATES, 1))
        return Score(metrics[REPLICATED], metrics.get(REPLICATED_STD) if n > 1 else None, n)
    std = spread(metrics, objective_name(study.objective, study.split))
    return Score(metrics[OBJECTIVE_VALUE], std, study.seeds)


def _is_apart(study: StudyRuns, best: RunRecord, other: RunRecord) -> bool:
    """Whether the best is better than another trial by more than noise."""
    ours, theirs = score_of(study, best), score_of(study, other)
    ahead = study.sign * (ours.value - theirs.value)
    low, high = (best.metrics.get(f"{DIFFERENCE}/{end}") for end in ("low", "high"))
    is_fresh = best in last_replicated(study.trials)
    if is_fresh and low is not None and high is not None and best.tags.get(BASELINE) == str(number_of(other)):
        return ahead > 0 and not low <= 0.0 <= high
    if ahead <= 0 or ours.std is None:
        return False
    is_known = theirs.std is not None
    std = theirs.std if theirs.std is not None else ours.std  # of one student: it is taken to scatter like the best's
    if ours.std == std == 0.0:
        return True
    from scipy.stats import ttest_ind_from_stats  # a table on the terminal does not wait for it

    found = ttest_ind_from_stats(ours.value, ours.std, ours.n, theirs.value, std, theirs.n, equal_var=not is_known)
    return bool(found.pvalue < LEVEL)


def _rival(study: StudyRuns, best: RunRecord, score: Score, trial: RunRecord) -> Rival:
    behind = study.sign * (score.value - score_of(study, trial).value)
    taught_by = study.taught_by(trial)
    return Rival(number_of(trial), taught_by, behind, taught_by == study.taught_by(best), bool(keys_of(trial)))


def _worth(
    study: StudyRuns, best: RunRecord, rivals: Sequence[Rival], is_measured: bool, gains: Sequence[Gain]
) -> Worth:
    taught = [trial for trial in study.trials if keys_of(trial)]
    if not taught:
        return Worth.NO_TEACHER
    if not keys_of(best):
        is_close = not is_measured or any(rival.has_teachers for rival in rivals)
        return Worth.NOT_SHOWN if is_close else Worth.REFUTED
    if len(taught) < len(study.trials):
        is_close = not is_measured or any(not rival.has_teachers for rival in rivals)
        return Worth.NOT_SHOWN if is_close else Worth.SHOWN
    gain = next((gain for gain in gains if gain.trial == number_of(best)), None)
    if gain is None or "accuracy/overall" not in gain.gains:
        return Worth.NO_REFERENCE
    error = gain.errors.get("accuracy/overall")
    is_sure = error is not None and gain.gains["accuracy/overall"] > _ERRORS * error
    return Worth.SHOWN if is_sure else Worth.NOT_SHOWN
