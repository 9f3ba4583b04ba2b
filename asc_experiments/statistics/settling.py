"""What would tell two recipes apart that cannot be told apart yet: how many students and places, roughly.

Numbers are planned for a power of four in five: as many students and places that, were the true difference as large as
the one that was found, four of five such studies would tell it. (An interval that just leaves out 0 at the true
difference would leave it out in one of two.) The found difference is the largest that luck could make it look where it
was picked for being large, so that the numbers are too few rather than too many; from what is
below one standard error nothing can be planned, which is no sign that there is no difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from asc_experiments.statistics.evidence import Evidence
from asc_experiments.statistics.margin import CONFIDENCE, ONE_PLACE, ONE_SEED, Margin
from asc_experiments.statistics.wording import counted

POWER = 0.8
"""How often a study of the size that is planned tells a difference that is there."""
_DRAWS, _MOST_STUDENTS = 4_000, 1_000
NO_SIGN = "a difference smaller than its standard error: too imprecise to plan from"
_IF_TRUE = (
    ", for such a difference to show in four of five studies, if the true difference is as large as it looks, which "
    "flatters it"
)


def what_settles(ours: Evidence, theirs: Evidence, found: Margin) -> str:
    """What would tell two recipes apart, and under which condition; empty where they are apart.

    It is reckoned from the two parts of the error: that of students falls with their number, that of places with
    theirs; of students there must be so many that the interval shows it, whose t is wide for few of them. With so few
    of either the parts themselves are known roughly, and so is the answer.

    Args:
        ours: the answers of one recipe's students.
        theirs: the other's.
        found: the margin between them.
    """
    if not found.is_open:
        return ""
    if not found.is_known:
        remedies = {ONE_SEED: "at least two students on each side", ONE_PLACE: "test clips of more than one place"}
        return remedies.get(found.unknown, "students on both sides that were asked the same clips")
    if found.is_none:
        return "nothing: they do equally well here"
    if abs(found.value) < found.error:
        return NO_SIGN
    allowed = (abs(found.value) / _reach(found.comparisons)) ** 2
    values = [table.measure(found.metric) for table in (ours, theirs)]
    apart = [float(each.var(ddof=1)) for each in values]
    of_places = max(0.0, found.error**2 - sum(each / len(own) for each, own in zip(apart, values, strict=True)))
    students = max(found.students)
    if of_places < allowed / 2:
        needed = _students(found, apart, of_places, students + 1)
        return f"about {counted(needed, 'student')} on each side instead of {_either(found.students)}{_IF_TRUE}"
    factor = max(1.0, found.error**2 / allowed)
    students_needed = _students(found, apart, of_places / factor, max(students, math.ceil(students * factor)))
    return (
        f"about {counted(max(found.places + 1, math.ceil(found.places * factor)), 'test place')} instead of "
        f"{found.places:,}, with about {counted(students_needed, 'student')} on each side instead of "
        f"{_either(found.students)}{_IF_TRUE}"
    )


def settling_in_words(lead: str, settling: str) -> str:
    """A sentence of what :func:`what_settles` says.

    Args:
        lead: what it begins with where there is something to do: ``To settle it``.
        settling: what would tell two recipes apart.
    """
    if settling == NO_SIGN:
        return f"{NO_SIGN[0].upper()}{NO_SIGN[1:]}."
    return f"{lead}: {settling}."


def _either(students: tuple[int, int]) -> str:
    """A number for both sides, or one for each."""
    return f"{students[0]}" if students[0] == students[1] else f"{students[0]} and {students[1]}"


def _students(found: Margin, apart: Sequence[float], of_places: float, least: int) -> int:
    """The smallest number of students on each side, of powers of 1.1 where there are many, that gives the power."""
    students = least
    while students < _MOST_STUDENTS and power(abs(found.value), apart, of_places, students, found.comparisons) < POWER:
        students = max(students + 1, int(1.1 * students))
    return students


def power(value: float, apart: Sequence[float], of_places: float, students: int, comparisons: int = 1) -> float:
    """How often the interval of :func:`margin` leaves out 0, by drawing studies, where it is both of its two kinds.

    Args:
        value: the true difference.
        apart: the variance of students on each side.
        of_places: the part of places in the error's square, taken as known.
        students: on each side, two at least.
        comparisons: see :func:`margin`.

    Examples:
        >>> round(power(0.0683, [0.0423**2, 0.0153**2], 0.0, 7, comparisons=2), 1)
        0.8
    """
    from scipy.special import ndtri, stdtrit

    rng, freedom, tail = np.random.default_rng(0), students - 1, 1 - (1 - CONFIDENCE) / (2 * comparisons)
    seen = [each * rng.chisquare(freedom, _DRAWS) / freedom for each in apart]
    drawn = rng.normal(value, math.sqrt(sum(apart) / students + of_places), _DRAWS)
    of_students = sum(seen) / students
    whole = of_students + of_places
    welch = whole**2 / np.maximum(sum((each / students) ** 2 for each in seen) / freedom, 1e-300)
    first = stdtrit(np.minimum(welch, 1e6), tail) * np.sqrt(whole)
    alike = stdtrit(2 * freedom, tail) * np.sqrt(of_students)
    reach = np.maximum(first, np.hypot(ndtri(tail) * math.sqrt(of_places), alike))
    return float(np.mean(np.abs(drawn) > reach))


def _reach(comparisons: int) -> float:
    """How many standard errors a difference has to be, once students are many, to be told so often as is planned."""
    from scipy.special import ndtri  # the normal distribution's quantile, without what scipy.stats takes to load

    return float(ndtri(1 - (1 - CONFIDENCE) / (2 * comparisons)) + ndtri(POWER))
