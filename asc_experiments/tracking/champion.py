"""Whether a challenger is better than the champion by more than noise.

Both trials' objectives are compared: means over students, on the same clips. The noise of their difference is its
standard error, √(s₁²/n₁ + s₂²/n₂) with the spread s over n students. Where a trial has fewer than two students, or
all reached the same, its part is that of drawing N clips: p(1 - p)/N, with p = (correct + 1)/(N + 2) so that it is
never zero. A challenger is better if it leads by more than 1.96 standard errors.

Fresh seeds (``replicate`` in a study file) count before the seeds that a trial was chosen by: those flatter the best of
many. The clips are the same for both, so that their own difficulty mostly cancels; with few students the spread is
itself known badly. Both are reasons to look at the interval that ``asc report`` gives, not only at this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from asc_experiments.tracking.candidate import Candidate
from asc_experiments.tracking.trials import (
    DIRECTION,
    OBJECTIVE,
    OBJECTIVE_VALUE,
    REPLICATED,
    REPLICATED_STD,
    REPLICATES,
    SPLIT,
)

STANDARD_ERRORS = 1.96
"""How many standard errors count as noise: 95 % of differences by chance alone are smaller."""


@dataclass(frozen=True)
class Verdict:
    """The comparison of a challenger with a champion.

    Attributes:
        is_better: by more than noise.
        why: in words, one line.
        difference: of the objectives, positive where the challenger is better; None where they do not compare.
        noise: how large a difference by chance may be.
    """

    is_better: bool
    why: str
    difference: float | None = None
    noise: float | None = None


@dataclass(frozen=True)
class _Reached:
    """An objective as a mean over students, its squared standard error (None: not known), and what that comes from."""

    value: float
    variance: float | None
    by: str


def compare(challenger: Candidate, champion: Candidate) -> Verdict:
    """Compare a challenger with a champion by the objective of their studies."""
    apart = _apart(challenger, champion)
    if apart:
        return Verdict(False, f"the two do not compare: {apart}")
    again = all(REPLICATED in each.trial.metrics for each in (challenger, champion))
    ours, theirs = _reached(challenger, again), _reached(champion, again)
    sign = 1.0 if challenger.trial.tags[DIRECTION] == "maximize" else -1.0
    difference = sign * (ours.value - theirs.value)
    objective = f"{challenger.trial.tags[OBJECTIVE]} on the {challenger.trial.tags[SPLIT]} split"
    fresh = " with fresh seeds" if again else ""
    values = f"{objective}{fresh}: {ours.value:.4f} against {theirs.value:.4f}"
    if ours.variance is None or theirs.variance is None:
        return Verdict(False, f"{values}; how much of that is noise is not known with one seed", difference)
    noise = STANDARD_ERRORS * math.sqrt(ours.variance + theirs.variance)
    is_better = difference > noise
    than = "more" if is_better else "no more"
    by = ours.by if ours.by == theirs.by else f"{ours.by} and {theirs.by}"
    why = f"{values}; better by {difference:+.4f}, {than} than the noise of {noise:.4f} ({by})"
    return Verdict(is_better, why, difference, noise)


def _apart(one: Candidate, other: Candidate) -> str:
    """Why two trials do not compare; empty where they do."""
    for tag, what in ((OBJECTIVE, "objectives"), (SPLIT, "splits"), (DIRECTION, "directions")):
        ours, theirs = (each.trial.tags.get(tag, "none") for each in (one, other))
        if ours != theirs:
            return f"their {what} are {ours} and {theirs}"
    ours, theirs = (each.data.digest or "not known" for each in (one, other))
    if ours != theirs or one.data.digest is None:
        return f"their corpora are {ours} and {theirs}"
    if one.trial.tags[SPLIT] == "validation":
        for mine, its in ((one.held_out, other.held_out), (one.data.validation_clips, other.data.validation_clips)):
            if mine is not None and its is not None and mine != its:
                return "other clips were held out"
    return ""


def _reached(candidate: Candidate, again: bool) -> _Reached:
    """What a trial reached, and how sure that is.

    Args:
        candidate: the trial.
        again: whether to go by the students with fresh seeds.
    """
    metrics, tags = candidate.trial.metrics, candidate.trial.tags
    objective, on_test = tags[OBJECTIVE], tags[SPLIT] == "test"
    if objective.startswith("complexity/"):
        return _Reached(metrics[OBJECTIVE_VALUE], 0.0, "counted")
    if again:
        value, std, students = metrics[REPLICATED], metrics.get(REPLICATED_STD), int(metrics.get(REPLICATES, 1))
    else:
        name = objective if on_test else f"validation/{objective}"
        value, std, students = metrics[OBJECTIVE_VALUE], candidate.spread(name), candidate.students()
    if std and students > 1:
        return _Reached(value, std**2 / students, f"spread over {students} seeds")
    data = candidate.data
    clips = data.test_clips if on_test else data.validation_clips
    if clips and objective in ("accuracy/overall", "accuracy/macro"):
        share = (value * clips + 1) / (clips + 2)
        return _Reached(value, share * (1 - share) / clips, f"drawing of {clips:,} clips")
    return _Reached(value, None, "")
