"""What studies cost."""

from dataclasses import replace

import pytest

from asc_experiments.report.analysis.compute_cost import costs_of, seconds_of
from asc_experiments.report.data.study_runs import StudyRuns
from tests.report.made import make_study, run


def seconds(study: StudyRuns) -> dict[str, float]:
    return {part.what: part.seconds for part in costs_of([study]).parts}


def test_teachers_count_once_and_every_student_counts(made: StudyRuns) -> None:
    found = costs_of([made])
    assert {part.what: (part.trainings, part.seconds) for part in found.parts} == {
        "teachers, each once": (len(made.teachers), 90.0 * len(made.teachers)),
        "students of finished trials": (48, 24 * 60.0),
        "students with fresh seeds": (9, 9 * 30.0),
        "trials that were pruned or failed": (3, 3 * 30.0),
    }
    assert found.seconds == pytest.approx(sum(seconds(made).values()))


def test_teacher_of_two_studies_counts_once_for_both() -> None:
    one, other = make_study("one", 12), make_study("other", 12)
    teachers = 90.0 * len({*one.teachers, *other.teachers})
    assert costs_of([one, other]).parts[0].seconds == teachers


def test_winner_costs_its_teachers_and_its_students(made: StudyRuns) -> None:
    trial = next(trial for trial in made.trials if trial.tags["asc.teachers"].count(",") == 1)
    assert costs_of([made], trial).winner == 2 * 90.0 + 2 * 30.0


def test_time_of_an_earlier_version_is_from_beginning_to_end() -> None:
    assert seconds_of(run("r", "r", "teacher", {})) == 60.0
    assert seconds_of(run("r", "r", "teacher", {"time/training_s": 7.0})) == 7.0
    assert seconds_of(replace(run("r", "r", "teacher", {}), end_time=None)) is None


def test_imported_teacher_has_no_time_of_training(made: StudyRuns) -> None:
    bank = {key: replace(t, tags={**t.tags, "asc.imported": "0f file.pt"}) for key, t in made.bank.items()}
    teachers = costs_of([replace(made, bank=bank)]).parts[0]
    assert (teachers.seconds, teachers.unknown) == (0, len(made.teachers))


def test_students_of_an_earlier_version_are_added_up_from_their_own_runs(made: StudyRuns) -> None:
    old = [
        replace(each, metrics={name: value for name, value in each.metrics.items() if name != "time/training_s"})
        if each.tags["asc.kind"] == "trial"
        else each
        for each in made.runs
    ]
    assert seconds(replace(made, runs=tuple(old))) == seconds(made)
