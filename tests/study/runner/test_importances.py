"""Which parameters matter is asked of two methods, on the same trials and parameters."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
import pytest

from asc_experiments.statistics.importances import Importances
from asc_experiments.study.runner.importances import FEWEST, parameter_importances

UNIT, SIZE = optuna.distributions.FloatDistribution(0, 1), optuna.distributions.IntDistribution(1, 3)


def study_of(
    trials: int,
    params: Callable[[int], Mapping[str, Any]],
    value: Callable[[Mapping[str, Any]], float],
    direction: str = "maximize",
) -> optuna.Study:
    study = optuna.create_study(direction=direction)
    for number in range(trials):
        made = dict(params(number))
        distributions = {name: SIZE if isinstance(each, int) else UNIT for name, each in made.items()}
        study.add_trial(optuna.trial.create_trial(params=made, distributions=distributions, value=value(made)))
    return study


def importances_of(study: optuna.Study) -> Importances:
    found = parameter_importances(study)
    assert found is not None
    return found


def test_parameter_that_decides_the_objective_is_the_first_of_both_methods() -> None:
    found = importances_of(study_of(40, lambda n: {"x": n / 40, "y": n % 7 / 7}, lambda params: params["x"]))
    assert found.first == ("x", "x")
    assert found.agree
    assert found.trials == 40
    assert found.shares["x"] > 0.8


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_parameters_that_the_methods_name_as_opposites_are_not_given(direction: str) -> None:
    """Nine tenths of the variance are y's, and the best trials are told by x."""
    sign = 1.0 if direction == "maximize" else -1.0

    def value(params: Mapping[str, Any]) -> float:
        return sign * (1.0 if params["x"] > 0.85 else -9.0 * (params["y"] > 0.5))

    study = study_of(100, lambda n: {"x": n % 10 / 10, "y": n // 10 / 10}, value, direction)
    found = importances_of(study)
    assert found.first == ("y", "x")
    assert not found.agree
    assert found.shares == {}


def test_parameters_that_only_some_trials_have_are_counted_and_not_compared() -> None:
    """Optuna's own default gives them a share, and its fANOVA none."""
    rng = np.random.default_rng(0)

    def params(number: int) -> dict[str, Any]:
        size = 1 + number % 3
        more = {f"teacher_{member}": float(rng.random()) for member in range(2, size + 1)}
        return {"size": size, "x": float(rng.random())} | more

    study = study_of(60, params, lambda params: params["x"])
    assert "teacher_2" in optuna.importance.get_param_importances(study), "as Optuna has it"
    found = importances_of(study)
    assert set(found.fanova) == set(found.ped_anova) == {"size", "x"}
    assert found.left_out == {"teacher_2": 40, "teacher_3": 20}


def test_parameters_that_do_not_vary_have_no_share() -> None:
    found = importances_of(study_of(20, lambda n: {"x": n / 20, "y": 0.5}, lambda params: params["x"]))
    assert set(found.fanova) == {"x"}


@pytest.mark.parametrize(("trials", "scale"), [(0, 1.0), (FEWEST - 1, 1.0), (12, 0.0)])
def test_too_few_or_equal_values_have_no_importances(trials: int, scale: float) -> None:
    assert parameter_importances(study_of(trials, lambda n: {"x": n / 20}, lambda params: scale * params["x"])) is None


def test_trials_without_a_common_parameter_have_no_importances() -> None:
    study = study_of(20, lambda n: {f"x{n % 2}": n / 20}, lambda params: sum(params.values()))
    assert parameter_importances(study) is None


def test_thousands_of_trials_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asc_experiments.study.runner.importances._MOST", 30)
    found = importances_of(study_of(95, lambda n: {"x": n % 10 / 10, "y": n / 95}, lambda params: params["x"]))
    assert found.trials == 30
    assert found.first == ("x", "x")
