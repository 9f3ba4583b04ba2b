"""The best student is registered, once."""

from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.networks import fetch_network, log_network
from asc_experiments.tracking.registry import register_best
from asc_experiments.training import SceneNetwork, make_recipe


def log_trial(tracking: Tracking, number: int, objective: float, direction: str = "maximize") -> str:
    tags = {
        "asc.study": "s", "asc.trial": str(number), "asc.direction": direction, "asc.objective": "accuracy/macro",
        "asc.teachers": "1f,2a",
    }  # fmt: skip
    network = SceneNetwork(make_recipe("cp_mobile", base_channels=8), ("bus", "park"))
    with tracking.run(tracking.experiment("s"), f"trial {number}", "trial", tags) as run:
        model_id = log_network(run, network)
        run.tags({"asc.model_id": model_id})
        run.params({"teachers": "one + two"})
        run.metrics({"objective": objective, "accuracy/device/s4": 0.5, "complexity/parameters": 13_942})
    return model_id


def test_best_trial_is_registered_with_alias_and_tags(tracking: Tracking) -> None:
    log_trial(tracking, 0, 0.5)
    best = log_trial(tracking, 1, 0.7)
    registered = register_best(tracking, "s")
    assert (registered.version, registered.trial, registered.is_new) == (1, 1, True)
    version = tracking.client.get_model_version_by_alias("asc-student", "champion")
    assert version.source.endswith(best)
    assert version.tags["study"] == "s"
    assert version.tags["teacher_keys"] == "1f,2a"
    assert version.tags["complexity/parameters"] == "13942"
    assert version.tags["accuracy/device/s4"] == "0.5000"
    assert fetch_network(tracking, registered.uri).scenes == ("bus", "park")


def test_lowest_is_best_where_lower_is_better(tracking: Tracking) -> None:
    log_trial(tracking, 0, 0.5, "minimize")
    log_trial(tracking, 1, 0.7, "minimize")
    assert register_best(tracking, "s").trial == 0


def test_registering_twice_makes_no_second_version(tracking: Tracking) -> None:
    log_trial(tracking, 0, 0.5)
    first = register_best(tracking, "s")
    again = register_best(tracking, "s", alias="challenger")
    assert (again.version, again.is_new) == (first.version, False)
    assert len(tracking.client.search_model_versions("name = 'asc-student'")) == 1
    for alias in ("champion", "challenger"):
        assert tracking.client.get_model_version_by_alias("asc-student", alias).version == first.version


def test_better_trial_moves_the_alias_to_a_new_version(tracking: Tracking) -> None:
    log_trial(tracking, 0, 0.5)
    register_best(tracking, "s")
    log_trial(tracking, 1, 0.9)
    assert register_best(tracking, "s").version == 2


def test_unfinished_trials_are_never_registered(tracking: Tracking, tmp_path: Path) -> None:
    with pytest.raises(AscError, match="is not in the tracking server"):
        register_best(tracking, "s")
    tracking.experiment("s")
    with pytest.raises(AscError, match="no finished trial"):
        register_best(tracking, "s")


@pytest.mark.parametrize("alias", ["latest", "Latest", "v3", "V1", "", "a b", "x/y", "a.b", "a\n"])
def test_names_that_mlflow_refuses_are_refused_kindly(tracking: Tracking, alias: str) -> None:
    log_trial(tracking, 0, 0.5)
    with pytest.raises(AscError, match="no valid name"):
        register_best(tracking, "s", alias=alias)
