"""The answer of a study, and how honest it is."""

import re
from dataclasses import replace

import pytest

from asc_experiments.report.analysis.best_trial import Interval, _settled, answer_of, ship_commands
from asc_experiments.report.analysis.runner_up_margin import Lead, Rival, Score, Worth
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.tracking.trials import keys_of
from tests.report.made import STUDENTS, made_answers, make_study, with_answers


def test_winner_is_told_with_fresh_seeds_and_its_interval(made: StudyRuns) -> None:
    answer = answer_of(made)
    assert answer is not None
    assert answer.trial == made.best_first[0]
    assert answer.objective.value == pytest.approx(answer.trial.metrics["objective"] - 0.01)
    assert (answer.objective.std, answer.objective.n) == (0.011, 3)
    assert answer.difference is not None
    assert answer.difference.baseline == 0
    assert answer.difference.on_choosing == Interval(0.05, 0.02, 0.08)
    assert answer.difference.counts == answer.difference.on_test == Interval(0.04, -0.01, 0.09)
    assert answer.fresh["accuracy/group/unseen"].n == 3
    assert not any("partly luck" in caveat for caveat in answer.caveats)


def test_best_of_many_without_fresh_seeds_is_called_luck() -> None:
    answer = answer_of(make_study())
    assert answer is not None
    assert answer.difference is None
    assert any("the best of 24 noisy trials is partly luck" in caveat for caveat in answer.caveats)


def test_choice_on_the_test_fold_is_told() -> None:
    answer = answer_of(make_study(split="test"))
    assert answer is not None
    assert any("chosen on the test fold" in caveat for caveat in answer.caveats[:2])


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


def changed(study: StudyRuns, **metrics: float) -> StudyRuns:
    """The same, in which every trial that was compared with the baseline has these metrics."""
    told = {name.replace("__", "/"): value for name, value in metrics.items()}
    runs = [
        replace(run, metrics={**run.metrics, **told}) if "difference/low" in run.metrics else run for run in study.runs
    ]
    return replace(study, runs=tuple(runs))


def caveats(study: StudyRuns) -> str:
    answer = answer_of(study)
    assert answer is not None
    return " ".join(answer.caveats)


def test_difference_to_the_baseline_that_counts_is_that_of_the_test_fold(made: StudyRuns) -> None:
    assert "holds 0" in caveats(made), "although that on the clips which chose it does not"
    assert "holds 0" not in caveats(changed(made, difference__test__low=0.01, difference__low=-0.01))


def test_difference_to_the_baseline_without_an_interval_is_not_known(made: StudyRuns) -> None:
    ends = [f"difference/{where}{end}" for where in ("", "test/") for end in ("low", "high")]
    runs = [
        replace(run, metrics={name: value for name, value in run.metrics.items() if name not in ends})
        for run in made.runs
    ]
    assert "better than the baseline is not known with one seed" in caveats(replace(made, runs=tuple(runs)))


def test_trials_within_the_noise_of_the_test_fold_are_told_apart_by_nobody_and_what_would_settle_it_is_said() -> None:
    study = make_study(n_trials=2, n_pruned=0)
    same = {(trial.run_id, STUDENTS): made_answers(trial, 2) for trial in study.trials}
    best, other = study.best_first
    near = made_answers(best, 2, spread=0.02)["test"]
    told = caveats(with_answers(study, same | {(other.run_id, STUDENTS): {"test": near}}))
    assert "These cannot be told apart from it by accuracy/macro in the test fold: trial" in told
    assert "there is a difference smaller than its standard error: too imprecise to plan from." in told


def test_what_would_settle_it_is_told_of_a_trial_of_other_teachers_and_with_its_condition() -> None:
    kinds = ("cp_resnet-32-dirfms", "2 × cp_resnet-32-dirfms", "cp_resnet-32-none")
    rivals = tuple(
        Rival(number, kind, 0.1, number == 1, True, None, f"students for {kind}", has_same_kinds=number < 3)
        for number, kind in enumerate(kinds, 1)
    )
    lead = Lead(Score(0.5, None, 3), 3, rivals, Worth.NO_REFERENCE, "accuracy/macro")
    assert _settled(lead) == ["What would tell it from trial 3: students for cp_resnet-32-none."]
    assert "from trial 2:" in _settled(replace(lead, rivals=rivals[:2]))[0], "of other teachers at least"
    assert "from trial 1:" in _settled(replace(lead, rivals=rivals[:1]))[0]
    assert _settled(replace(lead, rivals=())) == []


def test_kinds_of_teachers_are_told_without_seed_and_number(made: StudyRuns) -> None:
    for trial in made.trials:
        names = {re.sub(r"-s0$", "", made.bank[key].name) for key in keys_of(trial)}
        assert made.kinds_of(trial) == names


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


def test_seeds_that_trials_share_are_told_and_seeds_of_their_own_are_not(made: StudyRuns) -> None:
    assert "have seeds in common" in caveats(made), "an earlier version gave all trials the same"
    runs = [
        replace(run, tags={**run.tags, "asc.student_seeds": f"[{10 * n}, {10 * n + 1}]"})
        for n, run in enumerate(made.runs)
    ]
    assert "have seeds in common" not in caveats(replace(made, runs=tuple(runs)))
