"""Pareto fronts."""

from hypothesis import given
from hypothesis import strategies as st

from asc_experiments.report.fronts import accuracy_against_macs, non_dominated
from tests.report.made import make_study

points = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30)


@given(points)
def test_nothing_beats_the_front_and_the_front_beats_the_rest(found: list[tuple[float, float]]) -> None:
    front = non_dominated(found)
    assert bool(front) == bool(found)
    for place, point in enumerate(found):
        beaten = any(o != point and o[0] <= point[0] and o[1] <= point[1] for o in found)
        assert (place in front) != beaten


def test_students_of_several_studies_share_one_front() -> None:
    studies = [make_study("one", 9), make_study("other", 9, seed=2)]
    students = accuracy_against_macs(studies)
    assert len(students) == 18
    front = [student for student in students if student.is_on_front]
    assert [s.macs for s in front] == sorted(s.macs for s in front)
    assert [s.accuracy for s in front] == sorted(s.accuracy for s in front), "what costs more is better"
    assert max(students, key=lambda student: student.accuracy) in front
