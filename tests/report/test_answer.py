"""The answer of a study, and how honest it is."""

from dataclasses import replace

import pytest

from asc_experiments.report.answer import answer_of, ship_commands
from asc_experiments.report.runs import StudyRuns
from tests.report.made import make_study


def test_winner_is_told_with_fresh_seeds_and_its_interval(made: StudyRuns) -> None:
    answer = answer_of(made)
    assert answer is not None
    assert answer.trial == made.best_first[0]
    assert answer.objective.value == pytest.approx(answer.trial.metrics["objective"] - 0.01)
    assert (answer.objective.std, answer.objective.n) == (0.011, 3)
    assert answer.difference is not None
    assert (answer.difference.baseline, answer.difference.low, answer.difference.on_test) == (
        0,
        0.02,
        (0.04, -0.01, 0.09),
    )
    assert answer.fresh["accuracy/group/unseen"].n == 3
    assert not any("luck" in caveat for caveat in answer.caveats)


def test_best_of_many_without_fresh_seeds_is_called_luck() -> None:
    answer = answer_of(make_study())
    assert answer is not None
    assert answer.difference is None
    assert any("the best of 24 noisy trials is partly luck" in caveat for caveat in answer.caveats)


def test_choice_on_the_test_fold_is_told() -> None:
    answer = answer_of(make_study(split="test"))
    assert answer is not None
    assert "chosen on the test fold" in answer.caveats[0]


def test_winner_that_is_the_baseline_is_told(made: StudyRuns) -> None:
    best = made.best_first[0]
    number = best.tags["asc.trial"]
    runs = [replace(each, tags={**each.tags, "asc.baseline": number}) for each in made.runs]
    names = ("difference/difference", "difference/low", "difference/high")
    runs = [
        replace(each, metrics={name: v for name, v in each.metrics.items() if name not in names})
        if each.run_id == best.run_id
        else each
        for each in runs
    ]
    answer = answer_of(replace(made, runs=tuple(runs)))
    assert answer is not None
    assert answer.is_baseline
    assert any("the baseline itself" in caveat for caveat in answer.caveats)


def test_interval_that_holds_zero_is_told(made: StudyRuns) -> None:
    runs = [
        replace(each, metrics={**each.metrics, "difference/low": -0.01}) if "difference/low" in each.metrics else each
        for each in made.runs
    ]
    answer = answer_of(replace(made, runs=tuple(runs)))
    assert answer is not None
    assert any("holds 0" in caveat for caveat in answer.caveats)


def test_trials_that_seeds_alone_could_have_swapped_are_told_apart_by_nobody() -> None:
    study = make_study(n_trials=8)
    best = study.best_first[0].metrics["objective"]
    near = replace(
        study.best_first[1],
        metrics={**study.best_first[1].metrics, "objective": best - 0.001, "std/validation/accuracy/macro": 0.02},
    )
    runs = [near if each.run_id == near.run_id else each for each in study.runs]
    runs = [
        replace(each, metrics={**each.metrics, "std/validation/accuracy/macro": 0.02})
        if "objective" in each.metrics
        else each
        for each in runs
    ]
    answer = answer_of(replace(study, runs=tuple(runs)))
    assert answer is not None
    assert any("cannot be told apart" in caveat for caveat in answer.caveats)


def test_one_trial_of_one_seed_has_no_spread_and_nothing_beside_it() -> None:
    answer = answer_of(make_study(n_trials=1, n_pruned=0, seeds=1))
    assert answer is not None
    assert (answer.lead.others, answer.lead.rivals) == (0, ())
    assert answer.objective.std is None
    assert any("One trial has finished" in caveat for caveat in answer.caveats)


def test_no_finished_trial_has_no_answer() -> None:
    assert answer_of(make_study(n_trials=0)) is None


def test_commands_quote_what_a_shell_would_take_apart() -> None:
    assert ship_commands("quickstart")[0] == "asc register quickstart"
    assert ship_commands("quickstart")[1].startswith("import mlflow; model = "), "as it is typed into a new Python"
    assert ship_commands("a; rm -rf x")[0] == "asc register 'a; rm -rf x'"
