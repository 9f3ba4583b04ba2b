"""Whether the best is better than the others, and what the heading makes of it."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from asc_experiments.report.analysis.best_trial import answer_of
from asc_experiments.report.analysis.distillation_gain import Gain
from asc_experiments.report.analysis.headline import headline
from asc_experiments.report.analysis.runner_up_margin import Worth, lead_of
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.statistics import Evidence, Margin
from tests.report.made import REPLICATES, STUDENTS, made_evidence, make_study, scattered, with_answers

STD = "std/validation/accuracy/macro"
HIGHEST = "highest in accuracy/macro on the validation split"
ONE, OTHER, THIRD = 0, 5, 8  # places of teachers in the bank, each of a kind of its own


def answers_of(value: float, std: float | None, seeds: int, number: int, **more: Any) -> dict[str, Evidence]:
    shifts = (std or 0.0) * scattered(seeds, number)
    return {"test": made_evidence([value + float(shift) for shift in shifts], number, **more)}


def study_of(*trials: tuple[float, Sequence[int]], std: float | None = 0.01, seeds: int = 3) -> StudyRuns:
    """A study whose trials reached these objectives, taught by the teachers at these places of the bank."""
    study = make_study(n_trials=len(trials), seeds=seeds, n_pruned=0)
    keys = list(study.bank)
    made, answers = {}, {}
    for number, (trial, (value, places)) in enumerate(zip(study.trials, trials, strict=True)):
        metrics = {name: v for name, v in trial.metrics.items() if name != STD} | {"objective": value}
        metrics |= {} if std is None else {STD: std}
        tags = {**trial.tags, "asc.teachers": ",".join(keys[place] for place in places)}
        made[trial.run_id] = replace(trial, metrics=metrics, tags=tags)
        answers[trial.run_id, STUDENTS] = answers_of(value, std, seeds, number)
    return with_answers(replace(study, runs=tuple(made.get(run.run_id, run) for run in study.runs)), answers)


def heading(study: StudyRuns, gains: Sequence[Gain] = ()) -> str:
    answer = answer_of(study, gains)
    assert answer is not None
    return headline(answer)


def taught_by(study: StudyRuns, trial: int) -> str:
    return study.taught_by(study.trials[trial])


def gain_of(gain: float, error: float | None) -> Gain:
    """A gain with three standard errors to either side."""
    reach = (math.inf, math.inf) if error is None else (3 * error, 3 * error)
    unknown = "not known with one seed" if error is None else ""
    metric = "accuracy/overall"
    found = Margin(metric, gain, error or math.nan, gain - reach[0], gain + reach[1], unknown, (3, 3), 20)
    return Gain(0, "one", "3 students of asc student train", {metric: gain}, {metric: found})


def test_winner_that_seeds_cannot_explain_is_to_be_used() -> None:
    study = study_of((0.8, [ONE]), (0.7, [OTHER]), (0.6, []))
    assert heading(study) == f"Use {taught_by(study, 0)}"
    assert lead_of(study, study.trials[0]).worth is Worth.SHOWN


def test_other_teachers_that_cannot_be_told_apart_are_in_the_heading() -> None:
    study = study_of((0.8, [ONE]), (0.79, [OTHER]), (0.6, []))
    one, other = taught_by(study, 0), taught_by(study, 1)
    assert (
        heading(study)
        == f"No winner yet: trial 0 ({one}) is {HIGHEST}, but trial 1 ({other}) cannot be told apart from it"
    )


def test_many_that_cannot_be_told_apart_are_counted() -> None:
    near = [(0.79, [place]) for place in (5, 6, 8)]
    assert f"is {HIGHEST}, but none of the 3 others can be told apart from it" in heading(study_of((0.8, [ONE]), *near))
    assert f"is {HIGHEST}, but 3 of the 4 others cannot be told apart from it" in heading(
        study_of((0.8, [ONE]), *near, (0.5, [10]))
    )


def test_other_settings_of_the_same_teachers_do_not_change_which_to_use() -> None:
    study = study_of((0.8, [ONE]), (0.799, [ONE]), (0.6, []))
    assert heading(study) == f"Use {taught_by(study, 0)}"
    answer = answer_of(study)
    assert answer is not None
    said = "These cannot be told apart from it by accuracy/macro in the test fold: trial 1 ("
    assert any(caveat.startswith(said) for caveat in answer.caveats)


def test_labels_alone_as_good_as_the_best_teachers_are_in_the_heading() -> None:
    study = study_of((0.8, [ONE]), (0.79, []), (0.6, [OTHER]))
    assert heading(study).endswith(
        f"is {HIGHEST}, but the student on labels alone cannot be told apart from it: teachers are not shown to help"
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
    assert alone == (
        f"No winner yet: labels alone are {HIGHEST}, by one student per trial: luck is not ruled out; teachers are not "
        "shown to help"
    )


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
    """Of the loss, which falls where the accuracy rises."""
    study = study_of((0.2, [ONE]), (0.6, [OTHER]), (0.205, [THIRD]))
    told = {"asc.direction": "minimize", "asc.objective": "loss/overall"}
    runs = [replace(run, tags={**run.tags, **told}) for run in study.runs]
    answers = {
        (trial.run_id, STUDENTS): answers_of(1 - trial.metrics["objective"], 0.01, 3, place)
        for place, trial in enumerate(study.trials)
    }
    study = with_answers(replace(study, runs=tuple(runs)), answers)
    assert [rival.number for rival in lead_of(study, study.trials[0]).rivals] == [2]


def fresh(study: StudyRuns, values: dict[int, float], std: float, n: int) -> StudyRuns:
    """The same, in which these trials reached something with fresh seeds."""
    runs, answers = [], {}
    for run in study.runs:
        number = int(run.tags["asc.trial"]) if "objective" in run.metrics else -1
        if number >= 0:
            answers[run.run_id, STUDENTS] = dict(study.evidence(run.run_id, STUDENTS))
        if number in values:
            metrics = {"replicated/objective": values[number], "replicated/count": float(n)}
            metrics |= {"replicated/std/objective": std} if n > 1 else {}
            tags = {**run.tags, "asc.replicated_at": "7", "asc.baseline": "1"}
            run = replace(run, metrics={**run.metrics, **metrics}, tags=tags)
            answers[run.run_id, REPLICATES] = answers_of(values[number], std, n, 20 + number)
        runs.append(run)
    return with_answers(replace(study, runs=tuple(runs)), answers)


@pytest.mark.parametrize(("value", "rivals"), [(0.7, []), (0.79, [1])])
def test_fresh_seeds_decide_where_there_are_some(value: float, rivals: list[int]) -> None:
    study = fresh(study_of((0.8, [ONE]), (0.78, [OTHER]), (0.795, [THIRD])), {0: 0.8, 1: value}, 0.01, 3)
    found = lead_of(study, study.trials[0])
    assert [rival.number for rival in found.rivals] == rivals
    assert (found.others, found.left_out) == (1, 1), "trial 2 was not tried again"
    assert found.score.n == 3


def test_single_fresh_seed_has_no_spread() -> None:
    study = fresh(study_of((0.8, [ONE]), (0.5, [OTHER])), {0: 0.8}, 0.0, 1)
    found = lead_of(study, study.trials[0])
    assert not found.is_measured
    assert found.score.std is None
    assert heading(study).endswith("luck is not ruled out")


def test_few_places_leave_open_what_many_seeds_of_few_clips_seem_to_tell() -> None:
    """Three steady students a trial, sixteen points apart; at six test places that differ, that is within the noise."""
    study = study_of((0.56, [ONE]), (0.50, [OTHER]), std=0.001)
    few = {
        (trial.run_id, STUDENTS): answers_of(value, 0.001, 3, place, places=6, spread=0.15)
        for place, (trial, value) in enumerate(zip(study.trials, (0.66, 0.50), strict=True))
    }
    found = lead_of(with_answers(study, few), study.trials[0])
    assert [rival.number for rival in found.rivals] == [1]
    assert "test places instead of 6" in found.rivals[0].settling
    assert "which flatters it" in found.rivals[0].settling
    assert lead_of(study, study.trials[0]).rivals == ()


def test_best_of_many_has_to_be_ahead_by_more() -> None:
    two = study_of((0.72, [ONE]), (0.68, [OTHER]))
    assert lead_of(two, two.trials[0]).rivals == ()
    many = study_of((0.72, [ONE]), *[(0.68, [OTHER])] * 23)
    assert len(lead_of(many, many.trials[0]).rivals) == 23


def test_runs_without_answers_have_no_winner() -> None:
    study = with_answers(study_of((0.9, [ONE]), (0.1, [OTHER])), {})
    assert heading(study).endswith(f"is {HIGHEST}, but how far chance moves it is not known")
    assert len(lead_of(study, study.trials[0]).rivals) == 1


def test_of_thousands_of_trials_the_best_and_those_on_labels_alone_are_compared() -> None:
    study = study_of(*[(0.9 - 0.002 * place, [ONE, OTHER][place % 2 :][:1]) for place in range(150)], (0.1, []))
    read = []
    evidence = study.evidence
    study = replace(study, evidence=lambda run_id, name: read.append(run_id) or evidence(run_id, name))  # type: ignore[func-returns-value]
    found = lead_of(study, study.trials[0])
    assert found.others == 60
    assert found.left_out == 90
    assert found.worth is Worth.SHOWN, "the one on labels alone is compared, however far behind"
    assert len(set(read)) <= 100
    answer = answer_of(study)
    assert answer is not None
    assert any("90 more" in caveat for caveat in answer.caveats)


def test_trials_that_tie_are_no_winner() -> None:
    study = study_of((0.8, [ONE]), (0.8, [OTHER]), (0.5, []))
    assert heading(study).endswith(f"is {HIGHEST}, in a tie with 1 other trial")
