"""How much better one recipe is than another, and how sure that is.

Two recipes are compared by their students' means on the same clips. The error of their difference has three parts:
places (others would have been easier for one of them), and on each side the students (other seeds would have come out
otherwise). The part of places is a jackknife that leaves out one place at a time with all its devices and clips, of
both recipes at once and within its scene, which keeps its weight (Efron and Tibshirani, "An Introduction to the
Bootstrap", chapter 11; Wolter, "Introduction to Variance Estimation", chapter 4); it gives what a paired bootstrap over
places gives, without chance. The part of students is their variance over their number. What these very students happen
to answer at these very places is in both parts, and taken off once (Cameron, Gelbach and Miller, "Robust inference with
multiway clustering", Journal of Business & Economic Statistics 2011).

The interval is the wider of two. One takes Student's t with the degrees of freedom of Welch and Satterthwaite ("An
approximate distribution of estimates of variance components", Biometrics Bulletin 1946) for all parts together. Alone
it misses too often where one side has far fewer students than the other: they may lie close together by chance, and the
degrees of freedom are then those of what is known well. The other interval takes one deviation for the students of both
sides, and joins the reaches of places and of students, each with its own t (Howe, "Approximate confidence limits on the
mean of X + Y", Journal of the American Statistical Association 1974); alone it misses where the fewer scatter more.

How often such an interval misses, by simulation on TAU22's own tables: ``make calibrate``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from asc_experiments.metrics import is_better_higher
from asc_experiments.statistics.evidence import Evidence, combine

CONFIDENCE = 0.95
"""How often an interval holds what it is about."""
ROUNDING = 1e-12
"""Part of a difference, or of 1 if that is more, up to which sums in another order differ: no difference at all."""
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
        return self.is_known and (self._is_above if is_better_higher(self.metric) else self._is_below)

    @property
    def is_worse(self) -> bool:
        """Whether ours is worse by more than noise."""
        return self.is_known and (self._is_below if is_better_higher(self.metric) else self._is_above)

    @property
    def is_open(self) -> bool:
        """Whether it cannot be told which is better."""
        return not (self.is_better or self.is_worse)

    @property
    def is_none(self) -> bool:
        """Whether there is no difference, but for the rounding of sums."""
        return abs(self.value) <= ROUNDING

    @property
    def has_no_noise(self) -> bool:
        """Whether no place and no student differs from the others, but for the rounding of sums."""
        return self.is_known and self.error <= self._rounding

    @property
    def _is_above(self) -> bool:
        return self.low > self._rounding

    @property
    def _is_below(self) -> bool:
        return self.high < -self._rounding

    @property
    def _rounding(self) -> float:
        return ROUNDING * max(1.0, abs(self.value))


def margin(
    ours: Evidence,
    theirs: Evidence,
    metric: str,
    comparisons: int = 1,
    fixed_students: bool = False,
    of_students: Sequence[Part] = (),
) -> Margin:
    """The difference of a metric between two recipes, as if their students and the places were drawn anew.

    Args:
        ours: the answers of one recipe's students; clips of a split that neither was chosen by.
        theirs: the other's, on the same clips.
        metric: a Scorecard's metric, such as ``accuracy/macro`` or ``device_generalization``.
        comparisons: among how many such differences this one is the most striking; all of them together then hold with
            :data:`CONFIDENCE` (Bonferroni).
        fixed_students: ask only of these networks at other places, not of others trained like them: no claim about a
            recipe, and the part of the error that more places would lower.
        of_students: the parts of students in the variance of the difference, where they are known from more than these
            two sides; else they are estimated from these students.

    Example:
        >>> margin(of_dirfms, of_none, UNSEEN_ACCURACY).is_better  # doctest: +SKIP
        True

    Raises:
        ValueError: if the metric concerns none of the clips.
    """
    students = (ours.students, theirs.students)
    sides = [_Side.of(table, metric) for table in (ours, theirs)]
    value = float(sides[0].values().mean() - sides[1].values().mean())
    places = sides[0].places
    unknown = ""
    if not ours.is_of_the_same_clips(theirs):
        unknown = OTHER_CLIPS
    elif min(students) < 2 and not fixed_students:
        unknown = ONE_SEED
    elif places < 2:
        unknown = ONE_PLACE
    found = Margin(metric, value, math.nan, -math.inf, math.inf, unknown, students, places, comparisons)
    return found if unknown else _with_interval(found, sides, fixed_students, of_students)


def level(table: Evidence, metric: str, fixed_students: bool = False, of_students: Sequence[Part] = ()) -> Margin:
    """A metric of one recipe with its interval, as a difference to nothing.

    Args:
        table: the answers of its students.
        metric: a Scorecard's metric.
        fixed_students: ask only of these networks at other places, not of others trained like them.
        of_students: see :func:`margin`.

    Raises:
        ValueError: if the metric concerns none of the clips.
    """
    side = _Side.of(table, metric)
    unknown = ONE_PLACE if side.places < 2 else ONE_SEED if table.students < 2 and not fixed_students else ""
    value, students = float(side.values().mean()), (table.students, 0)
    found = Margin(metric, value, math.nan, -math.inf, math.inf, unknown, students, side.places)
    return found if unknown else _with_interval(found, [side], fixed_students, of_students)


def within(
    table: Evidence,
    ours: Sequence[str],
    theirs: Sequence[str],
    metric: str,
    comparisons: int = 1,
    fixed_students: bool = False,
) -> Margin:
    """The accuracy of the same students on the clips of some devices less that on those of others.

    Places and students count as in :func:`margin`, but each student is on both sides. Of a single student it is asked
    only how that very network does elsewhere.

    Args:
        table: the answers of a recipe's students.
        ours: names of devices.
        theirs: names of others; each of the two has clips.
        metric: what the margin is called.
        comparisons: see :func:`margin`.
        fixed_students: see :func:`margin`.
    """
    both = [_Side.of_devices(table, metric, devices, [*ours, *theirs]) for devices in (ours, theirs)]
    side = _Within(*both)
    value, students = float(side.values().mean()), (table.students, table.students)
    unknown = ONE_PLACE if side.places < 2 else ""
    found = Margin(metric, value, math.nan, -math.inf, math.inf, unknown, students, side.places, comparisons)
    return found if unknown else _with_interval(found, [side], fixed_students or table.students < 2)


def paired(ours: Evidence, theirs: Evidence, metric: str, fixed_students: bool = False) -> Margin:
    """The difference of a metric where each of our students was made of the one of theirs with the same number.

    Places and students count as in :func:`margin`, but each student is on both sides: what two share by their common
    beginning is in no difference between them. Of a single student it is asked only how that very pair does elsewhere.

    Args:
        ours: the answers of students that were made of others, say fine-tuned.
        theirs: the answers of those others, in the same order, on the same clips.
        metric: a Scorecard's metric.
        fixed_students: see :func:`margin`.

    Raises:
        ValueError: if the metric concerns none of the clips, or the two have not as many students.
    """
    if ours.students != theirs.students:
        raise ValueError(f"{ours.students} students are no pairs of {theirs.students}")
    side = _Within(*(_Side.of(table, metric) for table in (ours, theirs)))
    value, students = float(side.values().mean()), (ours.students, theirs.students)
    unknown = ONE_PLACE if side.places < 2 else "" if ours.is_of_the_same_clips(theirs) else OTHER_CLIPS
    found = Margin(metric, value, math.nan, -math.inf, math.inf, unknown, students, side.places)
    return found if unknown else _with_interval(found, [side], fixed_students or ours.students < 2)


class Part(NamedTuple):
    """A part of the variance of a difference, and with how many degrees of freedom it is known."""

    variance: float
    freedom: float

    @classmethod
    def total(cls, parts: Sequence[Part]) -> Part:
        """Their sum, with the degrees of freedom of Welch and Satterthwaite."""
        squares = sum(part.variance**2 / part.freedom for part in parts)
        variance = sum(part.variance for part in parts)
        return cls(variance, variance**2 / squares if squares else math.inf)

    def reach(self, confidence: float) -> float:
        """Half the width of an interval, were there no other part."""
        from scipy.special import stdtrit  # Student's t; without scipy.stats, which takes a second to load

        return float(stdtrit(self.freedom, 0.5 + confidence / 2)) * math.sqrt(self.variance) if self.variance else 0.0


@dataclass(frozen=True)
class Sources:
    """Where the error of a difference between two recipes comes from, each in the metric's own unit squared.

    Attributes:
        places: what other places would change for both recipes' means, however many students they are of; an estimate,
            which may lie below 0.
        places_freedom: with how many degrees of freedom the part of places is known.
        students: the variance between students of each recipe, and its degrees of freedom.
        at_places: of a student of each recipe, the part of that variance that other places would change too.
    """

    places: float
    places_freedom: float
    students: tuple[Part, ...]
    at_places: tuple[float, ...]


def sources(ours: Evidence, theirs: Evidence, metric: str) -> Sources:
    """What :func:`margin` makes its interval of, before it is divided by numbers of students: to plan other numbers by.

    Args:
        ours: the answers of one recipe's students, two at least.
        theirs: the other's, on the same clips of two places at least.
        metric: a Scorecard's metric.

    Raises:
        ValueError: if the metric concerns none of the clips.
    """
    sides = [_Side.of(table, metric) for table in (ours, theirs)]
    left_out = [side.left_out() for side in sides]
    places = _of_places(sides, [each.mean(axis=0) for each in left_out])
    values = [side.values() for side in sides]
    at_places = tuple(_at_places(sides[0], each) for each in left_out)
    in_both = sum(part / len(each) for part, each in zip(at_places, values, strict=True))
    students = tuple(Part(float(each.var(ddof=1)), len(each) - 1) for each in values)
    return Sources(places.variance - in_both, places.freedom, students, at_places)


@dataclass(frozen=True, eq=False)
class _Side:
    """What one recipe brings into a comparison: its sums and clips by place and cell.

    Attributes:
        metric: what is measured.
        sums: ``(students, places, cells)``, of places that count for it.
        clips: ``(places, cells)``.
        strata: the scene of each of these places, counted from 0; 0 of all where a scene has but one place.
        strata_places: how many places each has.
    """

    metric: str
    sums: np.ndarray
    clips: np.ndarray
    strata: np.ndarray
    strata_places: np.ndarray

    @classmethod
    def of(cls, table: Evidence, metric: str) -> _Side:
        sums, clips = table.by_cell(metric)
        heard = clips.sum(axis=1) > 0
        return cls(metric, sums[:, heard], clips[heard], *_strata(table.scene_of[heard]))

    @classmethod
    def of_devices(cls, table: Evidence, metric: str, devices: Sequence[str], counting: Sequence[str]) -> _Side:
        """The accuracy on the clips of some devices, at the places of all that count for the comparison."""
        own, all_of_them = ([table.devices.index(device) for device in names] for names in (devices, counting))
        heard = table.clips[:, all_of_them].sum(axis=1) > 0
        strata, places = _strata(table.scene_of[heard])
        sums = table.correct[:, heard][:, :, own].sum(axis=2, keepdims=True).astype(float)
        return cls(metric, sums, table.clips[heard][:, own].sum(axis=1, keepdims=True), strata, places)

    @property
    def places(self) -> int:
        return len(self.strata)

    def values(self) -> np.ndarray:
        """The metric of each student, ``(students,)``."""
        return combine(self.metric, self.sums.sum(axis=1), self.clips.sum(axis=0))

    def left_out(self) -> np.ndarray:
        """It with each place left out in turn, ``(students, places)``; others of its scene then count for it too."""
        return combine(self.metric, self._without(self.sums), self._without(self.clips))

    def jackknife(self, left_out: np.ndarray) -> np.ndarray:
        """The variance of what is left out in turn, ``(…, places)``, in each stratum: ``(…, strata)``."""
        apart = left_out - (left_out @ self._member / self.strata_places)[..., self.strata]
        return np.asarray(apart**2 @ self._member * (self.strata_places - 1) / self.strata_places)

    def _without(self, values: np.ndarray) -> np.ndarray:
        """Totals over places with each left out in turn, ``(…, places, cells)``; its scene keeps its weight."""
        places = self.strata_places[self.strata][:, None]
        of_scene = (self._member.T @ values)[..., self.strata, :]
        total: np.ndarray = values.sum(axis=-2, keepdims=True)
        return total - (values * places - of_scene) / np.maximum(1, places - 1)

    @property
    def _member(self) -> np.ndarray:
        return np.equal.outer(self.strata, np.arange(len(self.strata_places))).astype(float)


@dataclass(frozen=True, eq=False)
class _Within:
    """Two sides of the same students, as one: what each does on ours less what it does on theirs."""

    ours: _Side
    theirs: _Side

    @property
    def places(self) -> int:
        return self.ours.places

    @property
    def strata_places(self) -> np.ndarray:
        return self.ours.strata_places

    def values(self) -> np.ndarray:
        return self.ours.values() - self.theirs.values()

    def left_out(self) -> np.ndarray:
        return self.ours.left_out() - self.theirs.left_out()

    def jackknife(self, left_out: np.ndarray) -> np.ndarray:
        return self.ours.jackknife(left_out)


def _strata(scene_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The scene of each place, counted from 0, and the places of each; all are of one where a scene has but one."""
    _, strata, places = np.unique(scene_of, return_inverse=True, return_counts=True)
    if places.min() < 2:
        return np.zeros_like(strata), np.array([len(strata)])
    return strata, places


def _with_interval(
    found: Margin, sides: Sequence[_Side | _Within], fixed_students: bool, given: Sequence[Part] = ()
) -> Margin:
    """The margin with its error and its interval: the wider of two.

    Args:
        found: the margin without.
        sides: ours, and theirs where there are any.
        fixed_students: whether they are as they are, and only places are drawn anew.
        given: the parts of students, where they are known from elsewhere.
    """
    left_out = [side.left_out() for side in sides]
    places = _of_places(sides, [each.mean(axis=0) for each in left_out])
    values = [] if fixed_students else [side.values() for side in sides]
    apart = [float(each.var(ddof=1)) for each in values]
    own = [Part(variance / len(each), len(each) - 1) for variance, each in zip(apart, values, strict=True)]
    parts, alike = (list(given), Part.total(given)) if given else (own, _alike(apart, values))
    in_both = sum(_at_places(sides[0], each) / len(each) for each in left_out if not fixed_students)
    whole, of_students = Part.total([places, *parts]), sum(part.variance for part in parts)
    # freedom is that of the parts as they are estimated: taking off what is in both makes nothing better known
    variance = max(whole.variance - in_both, places.variance, of_students)
    whole = Part(variance, whole.freedom * (variance / whole.variance) ** 2 if whole.variance else math.inf)
    confidence = 1 - (1 - CONFIDENCE) / found.comparisons
    of_places = Part(max(0.0, places.variance - in_both), places.freedom)
    reach = max(whole.reach(confidence), math.hypot(of_places.reach(confidence), alike.reach(confidence)))
    error = math.sqrt(variance)
    return replace(found, error=error, low=found.value - reach, high=found.value + reach)


def _of_places(sides: Sequence[_Side | _Within], means: Sequence[np.ndarray]) -> Part:
    """The part of places, of what each side's mean is with each place left out in turn, ``(places,)``."""
    strata = sides[0].jackknife(means[0] - means[1] if len(means) > 1 else means[0])
    return Part.total([Part(*each) for each in zip(strata, sides[0].strata_places - 1, strict=True)])


def _at_places(side: _Side | _Within, left_out: np.ndarray) -> float:
    """What other places would change in one student beside its like, of ``(students, places)`` left out in turn."""
    return float(side.jackknife(left_out - left_out.mean(axis=0)).sum()) / (len(left_out) - 1)


def _alike(apart: Sequence[float], values: Sequence[np.ndarray]) -> Part:
    """The part of students, if those of all sides scatter alike; none where they are as they are."""
    freedom = sum(len(each) - 1 for each in values)
    squares = sum(variance * (len(each) - 1) for variance, each in zip(apart, values, strict=True))
    return Part(squares / max(1, freedom) * sum(1 / len(each) for each in values), freedom or math.inf)
