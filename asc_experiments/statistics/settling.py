"""What would tell two recipes apart that cannot be told apart yet: how many students and places, roughly."""

from __future__ import annotations

import math

from asc_experiments.statistics.evidence import Evidence
from asc_experiments.statistics.margin import CONFIDENCE, ONE_PLACE, ONE_SEED, Margin
from asc_experiments.statistics.wording import counted

_TOO_MANY = 100_000
"""Places beyond which a difference counts as none."""


def what_settles(ours: Evidence, theirs: Evidence, found: Margin) -> str:
    """What would tell two recipes apart, if their difference stays as large as it is; empty where they are apart.

    It is reckoned from the two parts of the error: that of students falls with their number, that of places with
    theirs. With so few of either the parts themselves are known roughly, and so is the answer.

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
    if found.value == 0:
        return "nothing: they do equally well here"
    allowed = (abs(found.value) / _reach(found.comparisons)) ** 2
    values = [table.measure(found.metric) for table in (ours, theirs)]
    of_students = sum(float(each.var(ddof=1)) / len(each) for each in values)
    of_places = max(0.0, found.error**2 - of_students)
    students = max(found.students)
    if of_places < allowed / 2:
        needed = max(students + 1, math.ceil(students * of_students / (allowed - of_places)))
        return f"about {counted(needed, 'student')} on each side instead of {_either(found.students)}"
    factor = max(1.0, found.error**2 / allowed)
    if found.places * factor > _TOO_MANY:
        return f"more than {_TOO_MANY:,} test places: for any practical purpose they do equally well"
    students_needed = max(students, math.ceil(students * factor))
    return (
        f"about {counted(max(found.places + 1, math.ceil(found.places * factor)), 'test place')} instead of "
        f"{found.places:,}, with about {counted(students_needed, 'student')} on each side instead of "
        f"{_either(found.students)}"
    )


def _either(students: tuple[int, int]) -> str:
    """A number for both sides, or one for each."""
    return f"{students[0]}" if students[0] == students[1] else f"{students[0]} and {students[1]}"


def _reach(comparisons: int) -> float:
    """How many standard errors count as noise once students are many."""
    from scipy.special import ndtri  # the normal distribution's quantile, without what scipy.stats takes to load

    return float(ndtri(1 - (1 - CONFIDENCE) / (2 * comparisons)))
