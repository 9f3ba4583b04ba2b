"""What was odd about the trainings of a study."""

from dataclasses import replace
from typing import Any

from asc_experiments.report.analysis.best_trial import answer_of
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


def with_params(study: StudyRuns, student: str, teacher: str, accuracy: float) -> StudyRuns:
    """The same with this augmentation of students and teachers, whose accuracy is this."""
    runs = [replace(run, params={**run.params, "student.augment": student}) for run in study.runs]

    def taught(run: Any) -> Any:
        metrics = {**run.metrics, "accuracy/overall": accuracy}
        return replace(run, params={**run.params, "augment": teacher}, metrics=metrics)

    return replace(study, runs=tuple(runs), bank={key: taught(run) for key, run in study.bank.items()})


def test_teachers_that_know_less_than_labels_alone_teach_are_named(made: StudyRuns) -> None:
    said = on_training(with_params(made, "dirfms", "dirfms", 0.2))
    assert any(each.startswith("No teacher here is better than the student on labels alone: the best") for each in said)
    assert not on_training(with_params(made, "dirfms", "dirfms", 0.99))


def test_students_without_the_method_of_their_teachers_are_told(made: StudyRuns) -> None:
    (said,) = on_training(with_params(made, "none", "dirfms", 0.99))
    assert said.startswith("Teachers were trained with dirfms, students without device generalisation")
    assert not on_training(with_params(made, "none", "none", 0.99))


def test_synthetic_corpus_is_the_first_doubt_of_a_sound_study(made: StudyRuns) -> None:
    answer = answer_of(replace(made, data=replace(made.data, is_synthetic=True)))
    assert answer is not None
    assert answer.caveats[0].startswith("The corpus is synthetic")
    real = answer_of(made)
    assert real is not None
    assert not any("synthetic" in caveat for caveat in real.caveats)
