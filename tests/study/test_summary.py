"""A study's experiment says what was asked, what was found, and how to read it."""

import json
from collections.abc import Callable

import optuna
import pytest

from asc_experiments.study.driver import Driver
from asc_experiments.study.summary import parameter_importances
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.run import NOTE
from asc_experiments.tracking.trials import IMPORTANCES
from tests.study.conftest import Answers


def test_description_names_the_best_trial_its_teachers_and_how_it_was_chosen(
    driver: Callable[..., Driver], answers: Answers, tracking: Tracking
) -> None:
    driver({"trials": 3, "description": "What is asked.", "citation": "Who asked."}).run()
    tags = tracking.experiment_tags(tracking.experiment("tiny"))
    note = tags[NOTE]
    assert note.startswith("What is asked.")
    assert note.endswith("Who asked.")
    assert "3 of 3 trials finished" in note
    assert "partly luck" in note
    assert note.count("(#/experiments/") == 4, "the best one and a row per trial are links"
    state = json.loads(tags["mlflow.sharedViewState.compare"])
    assert state["searchFilter"] == "tags.`asc.kind` = 'trial'"
    assert {"metrics.`objective`", "metrics.`accuracy/device/s4`", "params.`teachers`"} <= set(state["selectedColumns"])
    assert tags["mlflow.experiment.primaryMetric.name"] == "objective"


@pytest.mark.usefixtures("quick_students")
@pytest.mark.parametrize(("rates", "learned"), [((0.1, 0.09), False), ((0.9, 0.3), True)])
def test_study_whose_students_guess_names_no_best_trial(
    driver: Callable[..., Driver], tracking: Tracking, rates: tuple[float, float], learned: bool
) -> None:
    keys = {
        "trials": 2,
        "seeds": 2,
        "ensemble": {"size": 0, "pool": [{"arch": "cp_resnet"}]},
        "student": {"base_channels": 8, "epochs": 1, "learning_rate": list(rates)},
        "enqueue": [{"student.learning_rate": rate} for rate in rates],
    }
    status = driver(keys).run()
    note = tracking.experiment_tags(tracking.experiment("tiny"))[NOTE]
    assert ("Nothing was learned" in note) == (not learned)
    assert ("Best: [trial 0]" in note) == learned
    assert ("Best" in note) == learned
    assert (status.best_trial, status.best_value is None) == ((0, False) if learned else (None, True))
    said = "Trial 0 is better by more than noise than 1 other trial" if learned else "Nothing was learned"
    assert status.verdict.startswith(said)
    assert said in note


@pytest.mark.parametrize(("metric", "ascending"), [("accuracy/overall", False), ("loss/overall", True)])
def test_table_of_mlflow_begins_with_the_best_trial_whichever_way_is_better(
    driver: Callable[..., Driver], answers: Answers, tracking: Tracking, metric: str, ascending: bool
) -> None:
    driver({"trials": 1, "objective": {"metric": metric}})
    state = json.loads(tracking.experiment_tags(tracking.experiment("tiny"))["mlflow.sharedViewState.compare"])
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`objective`", ascending)


def test_study_without_finished_trials_has_its_description_and_what_it_is_chosen_on(
    driver: Callable[..., Driver], answers: Answers, tracking: Tracking
) -> None:
    driver({"description": "What is asked."})
    note = tracking.experiment_tags(tracking.experiment("tiny"))[NOTE]
    assert note.startswith("What is asked.\n\n**Objective**: accuracy/macro on ")
    assert note.count("\n") == 2


def test_importances_are_logged_once_enough_trials_tell_them(
    driver: Callable[..., Driver], answers: Answers, tracking: Tracking
) -> None:
    driver({"trials": 3}).run()
    assert IMPORTANCES not in tracking.experiment_tags(tracking.experiment("tiny"))
    driver({"trials": 8}).run()
    found = json.loads(tracking.experiment_tags(tracking.experiment("tiny"))[IMPORTANCES])
    assert sum(found.values()) == pytest.approx(1, abs=1e-3)


def study_of(*values: float) -> optuna.Study:
    study = optuna.create_study(direction="maximize")
    distributions = {"x": optuna.distributions.FloatDistribution(0, 1), "y": optuna.distributions.IntDistribution(0, 3)}
    for number, value in enumerate(values):
        params = {"x": number / len(values), "y": number % 4}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, values=[value]))
    return study


def test_parameter_that_decides_the_objective_is_the_important_one() -> None:
    found = parameter_importances(study_of(*[number / 40 for number in range(40)]))
    assert found["x"] > found["y"]


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_importance_is_for_good_values_in_the_direction_of_the_study(direction: str) -> None:
    """What is good is decided by x alone, what is bad by y alone."""
    study = optuna.create_study(direction=direction)
    unit = optuna.distributions.FloatDistribution(0, 1)
    sign = 1.0 if direction == "maximize" else -1.0
    for place in range(100):
        x, y = (place % 10) / 10, (place // 10) / 10
        value = sign * (1.0 if x > 0.75 else -1.0 if y > 0.75 else 0.0)
        params = {"x": x, "y": y}
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=dict.fromkeys(params, unit), value=value)
        )
    found = parameter_importances(study)
    assert found["x"] > found["y"]


@pytest.mark.parametrize("values", [(), (1.0, 2.0), (0.5,) * 12])
def test_too_few_or_equal_values_have_no_importances(values: tuple[float, ...]) -> None:
    assert parameter_importances(study_of(*values)) == {}
