"""Whether a trial's teachers gave its students anything over labels alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asc_experiments.statistics import Margin
from asc_experiments.statistics.wording import clips_in_words, margin_in_words
from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.records import RunRecord
from asc_experiments.tracking.decision import compare_standings, standing
from asc_experiments.tracking.judgement.winner import is_counted_exactly, objective_of
from asc_experiments.tracking.trials import (
    DIRECTION,
    TRIAL,
    keys_of,
)


@dataclass(frozen=True)
class OverLabels:
    """A taught trial beside the same student on labels alone.

    Attributes:
        reference: the trial on labels alone.
        margin: of the taught trial over it, in the objective on the test fold.
        clips: what that is measured on, in words.
    """

    reference: RunRecord
    margin: Margin
    clips: str

    @property
    def sentence(self) -> str:
        """What the teachers gave."""
        said = "better by more than noise" if self.margin.is_better else "worse by more than noise"
        if not self.margin.is_known:
            said = "not known to be better"
        elif self.margin.is_open:
            said = "not better by more than noise"
        return (
            f"It is {said} than the same student on labels alone (trial {self.reference.tags.get(TRIAL, '?')}): "
            f"{self.margin.metric} {margin_in_words(self.margin)}, on {self.clips}, over places and students of these "
            "very teachers."
        )


def over_labels(tracking: Tracking, trial: RunRecord, trials: Sequence[RunRecord]) -> OverLabels | None:
    """The margin of a taught trial over the best of its study that has the same student on labels alone.

    Args:
        tracking: the server.
        trial: the trial.
        trials: the trials of its study that are compared (:func:`candidates_of`).

    Returns:
        None where it had no teachers, no trial has that student on labels alone, or one of them keeps no answers.
    """
    references = [each for each in trials if not keys_of(each) and _student_of(each) == _student_of(trial)]
    if not references or not keys_of(trial) or is_counted_exactly(trial):
        return None
    sign = -1.0 if trial.tags.get(DIRECTION) == "minimize" else 1.0
    reference = max(references, key=lambda each: sign * objective_of(each))
    ours, theirs = standing(tracking, trial, trials), standing(tracking, reference, trials)
    found = compare_standings(ours, theirs)
    if found is None or ours.evidence is None:
        return None
    return OverLabels(reference, found, clips_in_words(ours.evidence, found.metric))


def teaching_in_words(tracking: Tracking, trial: RunRecord, trials: Sequence[RunRecord]) -> str:
    """Whether a trial's teachers gave its students anything, in a sentence: the question that most studies ask.

    Args:
        tracking: the server.
        trial: the trial.
        trials: the trials of its study that are compared (:func:`candidates_of`).
    """
    if not keys_of(trial):
        taught = any(keys_of(other) for other in trials)
        return "It learned from labels alone" + (": teachers are not shown to help." if taught else ".")
    found = over_labels(tracking, trial, trials)
    if found is None:
        return "No trial here has the same student on labels alone: whether its teachers help is not known."
    return found.sentence


def _student_of(trial: RunRecord) -> dict[str, str]:
    """The settings of a trial's student, but for its seed."""
    names = (name for name in trial.params if name.startswith("student.") and name != "student.seed")
    return {name: trial.params[name] for name in names}
