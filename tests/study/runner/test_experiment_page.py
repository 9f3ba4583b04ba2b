"""A study's experiment says what was asked, what was found, and how to read it."""

import json
import re
from collections.abc import Callable

import pytest

from asc_experiments.statistics.importances import Importances
from asc_experiments.study.runner.driver import Driver
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.records import NOTE
from asc_experiments.tracking.trials import IMPORTANCES, QUESTION, finished_trials
from asc_experiments.training import Recipe
from tests.study.conftest import Answers, QuickStudents


def test_description_names_the_best_trial_its_teachers_and_how_it_was_chosen(
    driver: Callable[..., Driver], answers: Answers, tracking: Tracking
) -> None:
    driver({"trials": 3, "description": "What is asked.", "citation": "Who asked."}).run()
    tags = tracking.experiment_tags(tracking.experiment("tiny"))
    note = tags[NOTE]
    first, second, *_ = note.split("\n\n")
    assert re.match(r"Best( objective so far)?: trial \d, \d+\.\d % on the test fold, ", first), "the list shows it"
    assert not re.search(r"\]\(|\*\*|`", first), "as it is written"
    assert "red sign" not in note
    assert second == "What is asked."
    assert tags[QUESTION] == "What is asked."
    assert note.endswith("Who asked.")
    assert "3 of 3 trials finished" in note
    assert "partly luck" in note
    assert note.count("(#/experiments/") == 4, "the best one and a row per trial are links"
    state = json.loads(tags["mlflow.sharedViewState.compare"])
    assert state["searchFilter"] == "tags.`asc.kind` = 'trial'"
    assert {"metrics.`objective`", "metrics.`accuracy/device/s4`", "params.`teachers`"} <= set(state["selectedColumns"])
    assert tags["mlflow.experiment.primaryMetric.name"] == "objective"


def test_trial_has_the_parameters_that_a_teacher_has_under_the_same_names(
    driver: Callable[..., Driver], answers: Answers, tracking: Tracking
) -> None:
    driver({"trials": 1}).run()
    (trial,) = finished_trials(tracking, "tiny")
    own = {name.removeprefix("student."): value for name, value in trial.params.items() if name.startswith("student.")}
    assert {"arch", "size", "augment", "epochs", "base_channels"} <= set(own)
    assert "seed" not in own, "it is of several seeds"
    assert {name: trial.params.get(name) for name in own} == own
    assert trial.metrics["time/training_s"] == round(trial.metrics["time/training_s"], 3), "milliseconds, not 16 digits"


def test_description_explains_the_red_signs_of_a_study_with_failed_trials(
    driver: Callable[..., Driver], quick_students: QuickStudents, tracking: Tracking
) -> None:
    def fail(recipe: Recipe) -> None:
        if len(quick_students.trained) == 1:
            raise RuntimeError("broken on purpose")

    quick_students.before = fail
    keys = {"trials": 2, "ensemble": {"size": 0, "pool": [{"arch": "cp_resnet"}]}}
    assert driver(keys).run().failed == 1
    tags = tracking.experiment_tags(tracking.experiment("tiny"))
    assert "1 of 2 trials finished, 0 pruned, 1 failed. In the table of runs a red sign marks" in tags[NOTE]
    state = json.loads(tags["mlflow.sharedViewState.compare"])
    for direction in ("DESC", "ASC"):
        order = f"{state['orderByKey']} {direction}"
        rows = tracking.search([tracking.experiment("tiny")], state["searchFilter"], order=[order])
        assert [row.status for row in rows] == ["FINISHED", "FAILED"], "the table begins with what finished"


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
    assert ("Best: trial 0," in note) == learned
    assert ("Best" in note) == learned
    assert (status.best_trial, status.best_value is None) == ((0, False) if learned else (None, True))
    said = "Trial 0 is better by more than noise than 1 other trial" if learned else "Nothing was learned"
    assert said in status.verdict
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
    assert note.startswith("What is asked.\n\nObjective: accuracy/macro on ")
    assert note.count("\n") == 2


def test_importances_are_logged_once_enough_trials_tell_them(
    driver: Callable[..., Driver], answers: Answers, tracking: Tracking
) -> None:
    driver({"trials": 3}).run()
    assert IMPORTANCES not in tracking.experiment_tags(tracking.experiment("tiny"))
    driver({"trials": 12}).run()
    found = Importances.from_text(tracking.experiment_tags(tracking.experiment("tiny"))[IMPORTANCES])
    assert found is not None
    assert found.trials == 12
    assert sum(found.fanova.values()) == pytest.approx(1, abs=1e-3)
    assert sum(found.ped_anova.values()) == pytest.approx(1, abs=1e-3)
