"""Pareto fronts."""

from hypothesis import given
from hypothesis import strategies as st

from asc_experiments.report.analysis.pareto import accuracy_against_macs, front_metric, non_dominated
from asc_experiments.report.render.table import Table
from asc_experiments.report.sections.search import front_section
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


def test_front_is_drawn_on_the_clips_that_the_study_chose_by_with_the_test_fold_beside() -> None:
    study = make_study(n_trials=9, n_pruned=0)
    for trial in study.trials:  # in the test fold the smallest is by far the best, which must not put it on the front
        trial.metrics["accuracy/macro"] = 0.9 if trial.metrics["complexity/macs"] < 2e6 else 0.1  # type: ignore[index]
    assert front_metric([study]) == "validation/accuracy/macro"
    students = accuracy_against_macs([study])
    best = max(study.trials, key=lambda trial: trial.metrics["validation/accuracy/macro"])
    (first,) = [each for each in students if each.trial == int(best.tags["asc.trial"])]
    assert first.is_on_front
    assert (first.accuracy, first.test) == (best.metrics["validation/accuracy/macro"], best.metrics["accuracy/macro"])
    section = front_section([study])
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    assert [column.heading for column in table.columns][-2:] == ["validation/accuracy/macro", "test fold"]


def test_studies_that_were_chosen_by_different_things_have_the_test_fold_in_common() -> None:
    assert front_metric([make_study("one", 3), make_study("other", 3, split="test")]) == "accuracy/overall"
    assert front_metric([make_study("one", 3, split="test")]) == "accuracy/macro"
