"""What was odd about the trainings of a study."""

from dataclasses import replace
from typing import Any

from asc_experiments.report.analysis.training_doubts import on_training
from asc_experiments.report.data.study_runs import StudyRuns, number_of
from tests.report.made import STUDENTS, made_evidence, make_study, with_answers


def study_with(*students: list[float]) -> StudyRuns:
    """A study whose trials' students reached these accuracies."""
    study = make_study(n_trials=len(students), n_pruned=0)
    tables = {
        (trial.run_id, STUDENTS): {"test": made_evidence(list(students[number_of(trial)]))} for trial in study.trials
    }
    return with_answers(study, tables)


def test_student_far_below_the_others_of_its_trial_is_named_with_both_accuracies() -> None:
    said = [each for each in on_training(study_with([0.8, 0.81, 0.6], [0.8, 0.79, 0.81])) if "far below" in each]
    assert len(said) == 1
    assert "trial 0 (60.0 % where the next reaches 80.0 %)" in said[0]
    assert "trial 1" not in said[0]


def test_students_that_differ_as_seeds_do_are_not_named() -> None:
    assert not [each for each in on_training(study_with([0.8, 0.84], [0.77, 0.82])) if "far below" in each]


def with_teachers(study: StudyRuns, *accuracies: float) -> StudyRuns:
    """The same with teachers of these accuracies, in turn."""

    def scored(number: int, run: Any) -> Any:
        return replace(run, metrics={**run.metrics, "accuracy/overall": accuracies[number % len(accuracies)]})

    bank = {key: scored(number, run) for number, (key, run) in enumerate(study.bank.items())}
    return replace(study, bank=bank)


def test_teachers_that_know_less_than_labels_alone_teach_are_named(made: StudyRuns) -> None:
    (said,) = on_training(with_teachers(made, 0.2))
    assert said.startswith("No teacher here is better than the student on labels alone: the best is right in 20.0 %")
    (said,) = on_training(with_teachers(made, 0.2, 0.99))
    assert said.startswith("Some teachers are right less often")
    assert "(20.0 %)" in said
    assert "(99.0 %)" not in said
    assert not on_training(with_teachers(made, 0.99))
