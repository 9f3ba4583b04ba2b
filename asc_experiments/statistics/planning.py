"""How wide the interval of a comparison will be, before it is run: of so many students, and so many teachers a side.

The interval is that of :func:`asc_experiments.statistics.margin.margin`, and where kinds of teachers are compared, that
of a report, which takes the spread of teachers from all kinds together. It is drawn thousands of times with the scatter
that is known or assumed, as :func:`asc_experiments.statistics.settling.power` does, since it is wide by chance where it
is made of few students: no formula of standard errors says how wide it is on average.

More students make the part of students smaller, and nothing else. What the places of the test clips do to the
difference of two recipes, both of which are asked the same clips, stays as it is; so does the luck of teachers, where
there are no more of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asc_experiments.metrics import ACCURACY, MetricKey
from asc_experiments.statistics.calibration.students import World
from asc_experiments.statistics.evidence import Evidence
from asc_experiments.statistics.margin import CONFIDENCE, Part, sources
from asc_experiments.statistics.settling import POWER

_DRAWS, _TINY, _MANY = 4_000, 1e-300, 1e6
_WORLD = World(recipe_place=4.0)
"""What is assumed where nothing is known: the students that ``docs/explanation/statistics.md`` simulates."""
_TEACHERS = 1.0
"""The luck of teachers there, in points: between 0.8 and 1.2."""
_COIN = 50.0
"""By how many points one clip moves, right as often as wrong."""
_MOST_PAIRS = 100
LEAST_FREEDOM = 3
"""Degrees of freedom from which on a variance is taken as known rather than assumed."""

Draws = NDArray[np.float64]


@dataclass(frozen=True)
class Scatter:
    """What blurs the difference of two recipes: variances, in the metric's own unit squared.

    Attributes:
        students: between students of one recipe, of the same teachers.
        at_places: the part of it that other places would change too: what a student answers there, and its like do not.
        places: what other places would change in the difference of two recipes, of however many students.
        places_freedom: with how many degrees of freedom places are known: places less scenes.
        teachers: between teachers of one kind, of what their students reach on average.
    """

    students: float
    at_places: float
    places: float
    places_freedom: float
    teachers: float

    def widened(self, factor: float) -> Scatter:
        """The same of students that scatter so many times as far."""
        return replace(self, students=factor**2 * self.students, at_places=factor**2 * self.at_places)


class Basis(NamedTuple):
    """What a :class:`Scatter` was measured from; 0 where a part of it is assumed.

    Attributes:
        students: degrees of freedom of the variance between students: students less trials.
        pairs: how many pairs of trials told what places do.
        teachers: degrees of freedom of the variance between teachers: teachers less kinds.
    """

    students: int = 0
    pairs: int = 0
    teachers: int = 0


def assumed(table: Evidence, metric: str) -> Scatter | None:
    """The scatter of students that were never seen, on the clips of a test fold; None where it is not of an accuracy.

    Students differ by 1.3 points, by 3 more at each place, and at each clip by chance; a recipe's worth at a place
    differs from its mean by 4. (Published: the baselines of DCASE 2025 reach 50.72 ± 0.47 and 51.89 ± 0.05 % at full
    length, on 29,680 clips; in short trainings on few clips seeds scatter by more.)

    Args:
        table: of the fold; what was answered there does not matter.
        metric: a Scorecard's metric.

    Raises:
        ValueError: if the metric concerns none of the clips.
    """
    if MetricKey.parse(metric).name != ACCURACY.name:
        return None
    clips = table.by_cell(metric)[1]
    cells = clips.sum(axis=0)
    by_clip = 1 / (np.count_nonzero(cells) * np.maximum(cells, 1))  # what a clip of a cell counts
    by_place = float(np.square(clips @ by_clip).sum())
    at_places = _WORLD.seed_place**2 * by_place + _COIN**2 * float((cells * by_clip**2).sum())
    heard = clips.sum(axis=1) > 0
    freedom = max(1, int(heard.sum()) - len(np.unique(table.scene_of[heard])))
    variances = _WORLD.seed**2 + at_places, at_places, 2 * _WORLD.recipe_place**2 * by_place, _TEACHERS**2
    students, at_places, places, teachers = (each / 100**2 for each in variances)
    return Scatter(students, at_places, places, freedom, teachers)


def measured(
    trials: Sequence[Sequence[Evidence]], kinds: Sequence[Sequence[Evidence]], metric: str, otherwise: Scatter | None
) -> tuple[Scatter, Basis] | None:
    """The scatter of students that were trained, as far as they tell; None where neither they nor anything else does.

    Args:
        trials: of each study, what its trials' students answered in the test fold.
        kinds: of each kind of teachers, what the students of each of its teachers answered there.
        metric: a Scorecard's metric, which concerns some of the clips.
        otherwise: what is assumed of the parts that too few students tell of.
    """
    several = [[table for table in each if table.students > 1] for each in trials]
    single = [sources(table, table, metric) for each in several for table in each]
    students = _pooled([each.students[0] for each in single])
    if students.freedom < LEAST_FREEDOM:
        return None if otherwise is None else (otherwise, Basis())
    at_places = sum(each.at_places[0] * each.students[0].freedom for each in single) / students.freedom
    pairs = [
        sources(ours, theirs, metric)
        for each in several
        for ours, theirs in itertools.islice(itertools.combinations(each, 2), _MOST_PAIRS)
        if ours.is_of_the_same_clips(theirs)
    ]
    if pairs:
        places = max(0.0, float(np.mean([each.places for each in pairs])))
        freedom = float(np.mean([each.places_freedom for each in pairs]))
    elif otherwise is not None:
        places, freedom = otherwise.places, otherwise.places_freedom
    else:
        return None
    teachers = _of_teachers(kinds, metric)
    is_known = teachers.freedom >= LEAST_FREEDOM
    luck = max(0.0, teachers.variance) if is_known else otherwise.teachers if otherwise else 0.0
    basis = Basis(int(students.freedom), len(pairs), int(teachers.freedom) if is_known else 0)
    return Scatter(students.variance, at_places, places, freedom, luck), basis


def _of_teachers(kinds: Sequence[Sequence[Evidence]], metric: str) -> Part:
    """The variance between teachers of a kind, without what their students' seeds explain of it; it may be below 0."""
    found = []
    for tables in kinds:
        values = [table.measure(metric) for table in tables if table.concerns(metric)]
        if len(values) > 1 and all(len(each) > 1 for each in values):
            of_seeds = float(np.mean([each.var(ddof=1) / len(each) for each in values]))
            found.append(Part(float(np.var([each.mean() for each in values], ddof=1)) - of_seeds, len(values) - 1))
    return _pooled(found)


def _pooled(parts: Sequence[Part]) -> Part:
    """One variance of several estimates of it."""
    freedom = sum(part.freedom for part in parts)
    return Part(sum(part.variance * part.freedom for part in parts) / max(1, freedom), freedom)


class Side(NamedTuple):
    """One side of a comparison.

    Attributes:
        students: how many there are, of all teachers together; two at least.
        teachers: how many teachers of the kind they share evenly, two at least; 0 where it is not asked for others than
            these very teachers, or where there are none.
    """

    students: int
    teachers: int = 0


@dataclass(frozen=True)
class Expected:
    """What is to be expected of a comparison, in the metric's own unit.

    Attributes:
        half_width: half the width of its interval, on average.
        detects: the smallest true difference that is told apart in four of five such studies.
    """

    half_width: float
    detects: float


@lru_cache(maxsize=4_096)
def expected(
    scatter: Scatter, sides: tuple[Side, Side], comparisons: int = 1, teachers_freedom: int | None = None
) -> Expected:
    """How wide the interval of a difference will be, and which difference it will tell apart.

    Args:
        scatter: what is known, or assumed.
        sides: how many students, and teachers, each has.
        comparisons: among how many such differences this one is the most striking, as in
            :func:`~asc_experiments.statistics.margin.margin`.
        teachers_freedom: with how many degrees of freedom the spread of teachers is known: teachers less kinds, of all
            kinds of the study; by default those of the two sides.

    Examples:
        >>> scatter = Scatter(students=1.3**2, at_places=0.0, places=0.0, places_freedom=136, teachers=0.0)
        >>> found = expected(scatter, (Side(5), Side(5)))
        >>> round(found.half_width, 1), round(found.detects, 1)
        (1.9, 2.7)
    """
    rng = np.random.default_rng(0)
    kinds = [side for side in sides if side.teachers]
    freedom = teachers_freedom or sum(side.teachers - 1 for side in kinds)
    in_both = sum(scatter.at_places / side.students for side in sides)
    parts = [] if not kinds else [_of_kinds(scatter, kinds, freedom, rng)]
    own = [(_drawn(scatter.students, s.students - 1, rng), s.students) for s in sides if not s.teachers]
    parts += [_Part(variance / students, students - 1) for variance, students in own]
    alike = _welch(parts) if kinds else _alike(own)
    reach = _reach(scatter, in_both, parts, alike, 1 - (1 - CONFIDENCE) / (2 * comparisons))
    truth = scatter.places + sum(
        (scatter.teachers / side.teachers if side.teachers else 0.0) + scatter.students / side.students
        for side in sides
    )
    missed = reach - rng.normal(0.0, math.sqrt(truth), _DRAWS)
    return Expected(float(reach.mean()), max(0.0, float(np.quantile(missed, POWER))))


class _Part(NamedTuple):
    """A part of the variance of a difference, ``(draws,)``, and the degrees of freedom that it is known with."""

    variance: Draws
    freedom: Draws | float

    def reach(self, tail: float) -> Draws:
        """Half the width of an interval, were there no other part."""
        from scipy.special import stdtrit

        of_none = self.variance <= 0  # its freedom is 0, of which there is no t
        times = stdtrit(np.where(of_none, 1.0, np.minimum(self.freedom, _MANY)), tail)
        return np.asarray(times * np.sqrt(self.variance))


def _drawn(variance: float, freedom: int, rng: np.random.Generator) -> Draws:
    """Estimates of a variance."""
    return variance * rng.chisquare(freedom, _DRAWS) / freedom


def _of_kinds(scatter: Scatter, kinds: Sequence[Side], freedom: int, rng: np.random.Generator) -> _Part:
    """The part of teachers: their spread over all kinds, which counts as no less than their students' seeds explain."""
    each = max(1, kinds[0].students // kinds[0].teachers)
    spread = _drawn(scatter.teachers + scatter.students / each, freedom, rng)
    if each > 1:
        of_seeds = (freedom + len(kinds)) * (each - 1)  # as many teachers as that, so many students each
        spread = np.maximum(spread, _drawn(scatter.students / each, of_seeds, rng))
    return _Part(spread * sum(1 / side.teachers for side in kinds), freedom)


def _alike(own: Sequence[tuple[Draws, int]]) -> _Part:
    """The part of students, if those of both sides scatter alike."""
    freedom = sum(students - 1 for _, students in own)
    pooled = sum(variance * (students - 1) for variance, students in own) / freedom
    return _Part(np.asarray(pooled * sum(1 / students for _, students in own)), freedom)


def _welch(parts: Sequence[_Part]) -> _Part:
    """Their sum, with the degrees of freedom of Welch and Satterthwaite."""
    variance = sum((part.variance for part in parts), np.zeros(_DRAWS))
    squares = sum((part.variance**2 / part.freedom for part in parts), np.zeros(_DRAWS))
    return _Part(variance, variance**2 / np.maximum(squares, _TINY))


def _reach(scatter: Scatter, in_both: float, parts: Sequence[_Part], alike: _Part, tail: float) -> Draws:
    """Half the widths of intervals: each is the wider of two, as :mod:`~asc_experiments.statistics.margin` says."""
    nothing = np.zeros(_DRAWS)
    of_places = _Part(nothing + scatter.places + in_both, scatter.places_freedom)
    whole = _welch([of_places, *parts])
    of_students = sum((part.variance for part in parts), nothing)
    variance = np.maximum(np.maximum(whole.variance - in_both, of_places.variance), of_students)
    freedom = whole.freedom * (variance / np.maximum(whole.variance, _TINY)) ** 2
    apart = np.hypot(_Part(nothing + scatter.places, scatter.places_freedom).reach(tail), alike.reach(tail))
    return np.maximum(_Part(variance, freedom).reach(tail), apart)
