"""Whether the best is better than the others, and what the heading makes of it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from asc_experiments.report.answer import answer_of
from asc_experiments.report.gains import Gain
from asc_experiments.report.lead import Worth, lead_of
from asc_experiments.report.runs import StudyRuns
from asc_experiments.report.sections.headline import headline
from tests.report.made import make_study

STD = "std/validation/accuracy/macro"
ONE, OTHER, THIRD = 0, 5, 8  # places of teachers in the bank, each of a kind of its own


def study_of(*trials: tuple[float, Sequence[int]], std: float | None = 0.01, seeds: int = 3) -> StudyRuns:
    """A study whose trials reached these objectives, taught by the teachers at these places of the bank."""
    study = make_study(n_trials=len(trials), seeds=seeds, n_pruned=0)
    keys = list(study.bank)
    made = {}
    for trial, (value, places) in zip(study.trials, trials, strict=True):
        metrics = {name: v for name, v in trial.metrics.items() if name != STD} | {"objective": value}
        metrics |= {} if std is None else {STD: std}
        tags = {**trial.tags, "asc.teachers": ",".join(keys[place] for place in places)}
        made[trial.run_id] = replace(trial, metrics=metrics, tags=tags)
    return replace(study, runs=tuple(made.get(run.run_id, run) for run in study.runs))


def heading(study: StudyRuns, gains: Sequence[Gain] = ()) -> str:
    answer = answer_of(study, gains)
    assert answer is not None
    return headline(answer)


def taught_by(study: StudyRuns, trial: int) -> str:
    return study.taught_by(study.trials[trial])


def gain_of(gain: float, error: float | None) -> Gain:
    errors = {} if error is None else {"accuracy/overall": error}
    return Gain(0, "one", "3 students of asc student train", {"accuracy/overall": gain}, errors)


def test_winner_that_seeds_cannot_explain_is_to_be_used() -> None:
    study = study_of((0.8, [ONE]), (0.7, [OTHER]), (0.6, []))
    assert heading(study) == f"Use {taught_by(study, 0)}"
    assert lead_of(study, study.trials[0]).worth is Worth.SHOWN


def test_other_teachers_that_cannot_be_told_apart_are_in_the_heading() -> None:
    study = study_of((0.8, [ONE]), (0.79, [OTHER]), (0.6, []))
    assert heading(study) == f"{taught_by(study, 0)} leads, but {taught_by(study, 1)} cannot be told apart from it"


def test_many_that_cannot_be_told_apart_are_counted() -> None:
    near = [(0.79, [place]) for place in (5, 6, 8)]
    assert "leads, but none of the 3 others can be told apart from it" in heading(study_of((0.8, [ONE]), *near))
    assert "leads, but 3 of the 4 others cannot be told apart from it" in heading(
        study_of((0.8, [ONE]), *near, (0.5, [10]))
    )


def test_other_settings_of_the_same_teachers_do_not_change_which_to_use() -> None:
    study = study_of((0.8, [ONE]), (0.799, [ONE]), (0.6, []))
    assert heading(study) == f"Use {taught_by(study, 0)}"
    answer = answer_of(study)
    assert answer is not None
    assert any("cannot be told apart from it: trial 1 (" in caveat for caveat in answer.caveats)


def test_labels_alone_as_good_as_the_best_teachers_are_in_the_heading() -> None:
    study = study_of((0.8, [ONE]), (0.79, []), (0.6, [OTHER]))
    assert heading(study).endswith(
        "leads, but the student on labels alone cannot be told apart from it: teachers are not shown to help"
    )


@pytest.mark.parametrize(("taught", "said"), [(0.6, "Teachers did not help here"), (0.795, "not shown to help")])
def test_labels_alone_that_win_say_that_teachers_did_not_help(taught: float, said: str) -> None:
    study = study_of((0.8, []), (taught, [ONE]))
    assert said in heading(study)
    assert "Use" not in heading(study)


def test_search_without_any_teacher_says_so() -> None:
    assert heading(study_of((0.8, []), (0.5, []))).startswith("No teacher was tried")


def test_one_student_per_trial_leaves_luck_open() -> None:
    assert heading(study_of((0.9, [ONE]), (0.1, [OTHER]), std=None, seeds=1)).endswith("luck is not ruled out")
    alone = heading(study_of((0.9, []), (0.1, [OTHER]), std=None, seeds=1))
    assert alone == "Labels alone lead, by one student per trial: luck is not ruled out; teachers are not shown to help"


def test_single_trial_is_no_recommendation() -> None:
    assert heading(study_of((0.9, [ONE]))).endswith("was tried, and nothing beside it")


@pytest.mark.parametrize(
    ("gain", "error", "worth"),
    [
        (0.05, 0.01, Worth.SHOWN),
        (0.01, 0.01, Worth.NOT_SHOWN),
        (0.05, None, Worth.NOT_SHOWN),
        (-0.1, 0.01, Worth.NOT_SHOWN),
    ],
)
def test_students_outside_the_study_stand_for_labels_alone(gain: float, error: float | None, worth: Worth) -> None:
    study = study_of((0.8, [ONE]), (0.5, [OTHER]))
    assert lead_of(study, study.trials[0]).worth is Worth.NO_REFERENCE
    gains = [gain_of(gain, error)]
    assert lead_of(study, study.trials[0], gains).worth is worth
    assert heading(study, gains).startswith("Use ") == (worth is Worth.SHOWN)


def test_smaller_is_better_where_the_study_says_so() -> None:
    study = study_of((0.1, [ONE]), (0.5, [OTHER]), (0.105, [THIRD]))
    runs = [replace(run, tags={**run.tags, "asc.direction": "minimize"}) for run in study.runs]
    study = replace(study, runs=tuple(runs))
    assert [rival.number for rival in lead_of(study, study.trials[0]).rivals] == [2]


@pytest.mark.parametrize(("low", "rivals"), [(0.001, []), (-0.001, [1])])
def test_interval_to_the_baseline_decides_about_the_baseline(low: float, rivals: list[int]) -> None:
    study = study_of((0.8, [ONE]), (0.79, [OTHER]))
    fresh = {"replicated/std/objective": 0.05, "replicated/count": 3.0, "difference/low": low, "difference/high": 0.1}
    runs = []
    for run in study.runs:
        if "objective" in run.metrics:
            metrics = {**run.metrics, **fresh, "replicated/objective": run.metrics["objective"]}
            run = replace(run, metrics=metrics, tags={**run.tags, "asc.replicated_at": "7", "asc.baseline": "1"})
        runs.append(run)
    study = replace(study, runs=tuple(runs))
    assert [rival.number for rival in lead_of(study, study.trials[0]).rivals] == rivals


def test_single_fresh_seed_has_no_spread() -> None:
    study = study_of((0.8, [ONE]), (0.5, [OTHER]))
    fresh = {"replicated/objective": 0.8, "replicated/std/objective": 0.0, "replicated/count": 1.0}
    runs = [
        replace(run, metrics={**run.metrics, **fresh}, tags={**run.tags, "asc.replicated_at": "7"})
        if run.run_id == study.trials[0].run_id
        else run
        for run in study.runs
    ]
    study = replace(study, runs=tuple(runs))
    assert not lead_of(study, study.trials[0]).is_measured
