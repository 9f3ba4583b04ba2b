"""How much better one recipe is than another, and how sure that is.

Two recipes are compared by their students' means on the same clips. The error of their difference has three parts:
places (others would have been easier for one of them), and on each side the students (other seeds would have come out
otherwise). The part of places is a jackknife that leaves out one place at a time with all its devices and clips, of
both recipes at once and within its scene (Efron and Tibshirani, "An Introduction to the Bootstrap", chapter 11; Wolter,
"Introduction to Variance Estimation", chapter 4); it gives what a paired bootstrap over places gives, without chance.
The part of students is their variance over their number. The interval takes Student's t with the degrees of freedom of
Welch and Satterthwaite ("An approximate distribution of estimates of variance components", Biometrics Bulletin 1946).

How often such an interval misses, by simulation on TAU22's own tables: ``make calibrate``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from asc_experiments.statistics.evidence import Evidence, combine
from asc_experiments.training.scorecard import is_better_higher

CONFIDENCE = 0.95
"""How often an interval holds what it is about."""
ONE_SEED, ONE_PLACE, OTHER_CLIPS = "not known with one seed", "not known from one place", "other clips were asked"


@dataclass(frozen=True)
class Margin:
    """A metric of one recipe, or the difference of two, ours less theirs, with what is known of its error.

    Attributes:
        metric: the Scorecard's name of it.
        value: the difference of means over students.
        error: its standard error; NaN where it is not known.
        low, high: the interval; infinite where the error is not known.
        unknown: why it is not known; empty where it is.
        students: how many there are of ours, and of theirs.
        places: how many places the clips are from.
        comparisons: among how many such differences this one may have been picked.
    """

    metric: str
    value: float
    error: float
    low: float
    high: float
    unknown: str
    students: tuple[int, int]
    places: int
    comparisons: int = 1

    @property
    def is_known(self) -> bool:
        """Whether it is known how far chance alone moves it."""
        return not self.unknown

    @property
    def is_better(self) -> bool:
        """Whether ours is better by more than noise."""
        return self.is_known and (self.low > 0 if is_better_higher(self.metric) else self.high < 0)

    @property
    def is_worse(self) -> bool:
        """Whether ours is worse by more than noise."""
        return self.is_known and (self.high < 0 if is_better_higher(self.metric) else self.low > 0)

    @property
    def is_open(self) -> bool:
        """Whether it cannot be told which is better."""
        return not (self.is_better or self.is_worse)


def margin(ours: Evidence, theirs: Evidence, metric: str, comparisons: int = 1, fixed_students: bool = False) -> Margin:
    """The difference of a metric between two recipes, as if their students and the places were drawn anew.

    Args:
        ours: the answers of one recipe's students; clips of a split that neither was chosen by.
        theirs: the other's, on the same clips.
        metric: a Scorecard's metric, such as ``accuracy/macro`` or ``device_generalization``.
        comparisons: among how many such differences this one is the most striking; all of them together then hold with
            :data:`CONFIDENCE` (Bonferroni).
        fixed_students: ask only of these networks at other places, not of others trained like them: no claim about a
            recipe, and the part of the error that more places would lower.

    Example:
        >>> margin(of_dirfms, of_none, "accuracy/group/unseen").is_better  # doctest: +SKIP
        True

    Raises:
        ValueError: if the metric concerns none of the clips.
    """
    students = (ours.students, theirs.students)
    values = [table.measure(metric) for table in (ours, theirs)]
    value = float(values[0].mean() - values[1].mean())
    places = ours.counts(metric)[1]
    unknown = ""
    if not ours.is_of_the_same_clips(theirs):
        unknown = OTHER_CLIPS
    elif min(students) < 2 and not fixed_students:
        unknown = ONE_SEED
    elif places < 2:
        unknown = ONE_PLACE
    if unknown:
        return _unknown(metric, value, unknown, students, places, comparisons)
    changes = _left_out(ours, metric) - _left_out(theirs, metric)
    parts = list(_place_parts(ours, metric, changes))
    if not fixed_students:
        parts += [_student_part(each) for each in values]
    return _interval(metric, value, parts, students, places, comparisons)


def level(table: Evidence, metric: str, fixed_students: bool = False) -> Margin:
    """A metric of one recipe with its interval, as a difference to nothing.

    Args:
        table: the answers of its students.
        metric: a Scorecard's metric.
        fixed_students: ask only of these networks at other places, not of others trained like them.

    Raises:
        ValueError: if the metric concerns none of the clips.
    """
    values = table.measure(metric)
    value, places = float(values.mean()), table.counts(metric)[1]
    students = (table.students, 0)
    unknown = ONE_PLACE if places < 2 else ONE_SEED if table.students < 2 and not fixed_students else ""
    if unknown:
        return _unknown(metric, value, unknown, students, places, 1)
    parts = list(_place_parts(table, metric, _left_out(table, metric)))
    if not fixed_students:
        parts.append(_student_part(values))
    return _interval(metric, value, parts, students, places, 1)


def _unknown(
    metric: str, value: float, unknown: str, students: tuple[int, int], places: int, comparisons: int
) -> Margin:
    return Margin(metric, value, math.nan, -math.inf, math.inf, unknown, students, places, comparisons)


def _interval(
    metric: str,
    value: float,
    parts: list[tuple[float, int]],
    students: tuple[int, int],
    places: int,
    comparisons: int,
) -> Margin:
    """The interval from variances and their degrees of freedom."""
    from scipy.special import stdtrit  # Student's t; without scipy.stats, which takes a second to load

    variance = sum(part for part, _ in parts)
    reach = 0.0
    if variance > 0:
        freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
        reach = float(stdtrit(freedom, 1 - (1 - CONFIDENCE) / (2 * comparisons))) * math.sqrt(variance)
    return Margin(metric, value, math.sqrt(variance), value - reach, value + reach, "", students, places, comparisons)


def _student_part(values: np.ndarray) -> tuple[float, int]:
    """The variance of a mean over students, and its degrees of freedom."""
    return float(values.var(ddof=1)) / len(values), len(values) - 1


def _left_out(table: Evidence, metric: str) -> np.ndarray:
    """The metric's mean over students with each place left out in turn, ``(places,)``."""
    sums, clips = table.by_cell(metric)
    return combine(metric, sums.sum(axis=1, keepdims=True) - sums, clips.sum(axis=0) - clips).mean(axis=0)


def _place_parts(table: Evidence, metric: str, left_out: np.ndarray) -> Iterator[tuple[float, int]]:
    """The jackknife's variance, of each scene by itself where each has two places, else of all places together.

    Args:
        table: any evidence of these clips.
        metric: the metric.
        left_out: what is jackknifed, with each place left out in turn.
    """
    heard = table.by_cell(metric)[1].sum(axis=1) > 0
    values, scenes = left_out[heard], table.scene_of[heard]
    if np.unique(scenes, return_counts=True)[1].min() < 2:
        scenes = np.zeros_like(scenes)
    for scene in np.unique(scenes):
        mine = values[scenes == scene]
        yield float((len(mine) - 1) * np.mean((mine - mine.mean()) ** 2)), len(mine) - 1
