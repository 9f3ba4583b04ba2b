"""Studies that trade accuracy against another metric, and limit the student's complexity."""

from collections import Counter
from collections.abc import Callable

import pytest
from optuna.trial import TrialState

from asc_experiments.report.analysis.comparison import compare_study
from asc_experiments.report.render.formats import Format
from asc_experiments.report.writing import find, render
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.trial_status import standing
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.client.records import ERROR
from asc_experiments.tracking.trials import AGAINST_VALUE, OBJECTIVE_VALUE, SEARCHED, TRIAL, best_trial, finished_trials
from asc_experiments.training.network import complexity_of

Make = Callable[..., Driver]
SIZES = (8, 16, 24, 32)
KEYS = {
    "trials": "4",
    "ensemble": "{size: 1, pool: [{arch: cp_resnet, base_channels: 10}]}",
    "student": "{base_channels: [8, 16, 24, 32]}",
    "enqueue": "[" + ", ".join(f"{{student.base_channels: {size}}}" for size in SIZES) + "]",
}
AGAINST = {"against": "{metric: complexity/macs}"}


@pytest.fixture
def make(driver: Make) -> Make:
    """A driver of a study over the student's sizes. (The tiny study's groups are of several lines: all replaced.)"""

    def made(**keys: str) -> Driver:
        lines = KEYS | keys
        overrides = {key: _value(text) for key, text in lines.items()}
        return driver(overrides)

    return made


def _value(text: str) -> object:
    from asc_experiments.base.yaml import parse_yaml

    return parse_yaml(text, "x")


def macs(made: Driver, size: int) -> int:
    plan = made.space.plan_of({"student.base_channels": size}, "x")
    return complexity_of(plan.student, made.bench.corpus.scenes).macs


def trial_runs(made: Driver) -> list[RunRecord]:
    return made.bench.tracking.search([made.context.experiment_id], "tags.`asc.kind` = 'trial'")


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_both_values_are_told_in_order_and_logged(make: Make, answers: object, sampler: str) -> None:
    made = make(sampler=sampler, trials="7", **AGAINST)
    status = made.run()
    assert (status.finished, status.failed) == (7, 0)
    trials = finished_trials(made.bench.tracking, "tiny")
    for record, trial in zip(trials, made.study.get_trials(), strict=True):
        accuracy, cost = trial.values
        assert (record.metrics[OBJECTIVE_VALUE], record.metrics[AGAINST_VALUE]) == (accuracy, cost)
        assert record.metrics["validation/accuracy/macro"] == accuracy
        assert cost == macs(made, trial.params["student.base_channels"])
    best = max(standing(made.study.get_trials()), key=lambda trial: trial.values[0])
    assert (status.best_trial, status.best_value) == (best.number, best.values[0])
    assert best_trial(trials, "tiny").tags[TRIAL] == str(best.number)
    assert made.study.best_trials, "Optuna knows the front"


def test_report_of_two_objectives_has_both(make: Make, answers: object) -> None:
    made = make(trials="2", **AGAINST)
    made.run()
    comparison = compare_study(made.bench.tracking, "tiny")
    assert [row["against"] for row in comparison.rows] == [row["macs"] for row in comparison.rows]
    assert "trial 1" in render(find(made.bench.tracking, ["tiny"]), Format.table)


def test_smaller_is_better_where_the_second_objective_is_an_accuracy_too(make: Make, answers: object) -> None:
    made = make(trials="2", objective="{metric: loss/overall}", against="{metric: accuracy/group/seen}")
    status = made.run()
    assert [str(each.name) for each in made.study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert status.best_value == min(trial.values[0] for trial in made.study.get_trials())
    assert best_trial(finished_trials(made.bench.tracking, "tiny"), "tiny").tags[TRIAL] == str(status.best_trial)


@pytest.mark.parametrize("against", [{}, AGAINST], ids=["one", "two"])
def test_student_above_a_limit_is_pruned_without_a_training(
    make: Make, answers: object, against: dict[str, str]
) -> None:
    limit = macs(make(**against, name="measure"), 24)
    made = make(constraints=f"{{complexity/macs: {limit}}}", **against)
    status = made.run()
    assert (status.finished, status.pruned, status.failed, status.done) == (3, 1, 0, 4)
    trials = made.study.get_trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 3 + [TrialState.PRUNED]
    assert [max(trial.constraints.values()) <= 0 for trial in trials] == [True, True, True, False]
    assert Counter(record.status for record in trial_runs(made)) == {"FINISHED": 3, "KILLED": 1}
    (killed,) = (record for record in trial_runs(made) if record.status == "KILLED")
    assert f"the study's limit {limit:,}" in killed.tags[ERROR]
    assert killed.tags[SEARCHED] == '{"student.base_channels": 32}'
    assert len(answers.students) == 3  # type: ignore[attr-defined]
    assert len(answers.teachers) == 1, "one teacher for all"  # type: ignore[attr-defined]
    assert make(constraints=f"{{complexity/macs: {limit}}}", **against).run() == status, "nothing is left to do"
