"""What was made when the answer was lost is not made a second time, and what cannot be known is not tried again."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from mlflow import MlflowClient
from mlflow.entities import LoggedModelInput, LoggedModelOutput

from asc_experiments.base.outage import Outage
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client import retry as patience
from asc_experiments.tracking.client.creating import BIRTH, may_be_repeated
from asc_experiments.tracking.registry.network_store import log_network
from asc_experiments.training import SceneNetwork, make_recipe


@pytest.fixture
def lost(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has the first answer to a call get lost: the server has done it."""
    monkeypatch.setattr(patience.time, "sleep", lambda seconds: None)

    def set_up(name: str) -> None:
        real, lost = getattr(tracking.now, name), [True]

        def call(*arguments: Any, **named: Any) -> Any:
            done = real(*arguments, **named)
            if lost and lost.pop():
                raise requests.ConnectionError("reset by peer")
            return done

        monkeypatch.setattr(tracking.now, name, call)

    return set_up


def test_run_model_and_version_whose_answers_were_lost_are_there_once(
    tracking: Tracking, lost: Callable[[str], None]
) -> None:
    client, experiment = tracking.client, tracking.experiment("runs")
    for name in ("create_run", "create_logged_model", "create_registered_model", "create_model_version", "log_outputs"):
        lost(name)
    with tracking.run(experiment, "x", "student", {"colour": "blue"}) as run:
        model_id = log_network(run, SceneNetwork(make_recipe("cp_mobile", base_channels=8), ("bus", "park")))
    (record,) = tracking.search([experiment])
    assert (record.run_id, record.status, record.tags["colour"]) == (run.run_id, "FINISHED", "blue")
    (model,) = client.search_logged_models([experiment])
    assert (model.model_id, str(model.status.value)) == (model_id, "READY")
    assert [made.model_id for made in client.get_run(run.run_id).outputs.model_outputs] == [model_id]
    assert client.create_registered_model("m", description="what it is").description == "what it is"
    with tracking.current():
        version = client.create_model_version(
            "m", f"models:/{model_id}", run.run_id, {"a": "b"}, model_id=model_id, await_creation_for=0
        )
    assert [found.version for found in client.search_model_versions("name = 'm'")] == [version.version]
    assert version.tags["a"] == "b"


def test_experiment_whose_answer_was_lost_is_the_one_that_was_made(
    tracking: Tracking, lost: Callable[[str], None]
) -> None:
    lost("create_experiment")
    tiny = tracking.experiment("tiny")
    assert tracking.experiments()[tiny] == "tiny"
    lost("create_experiment")
    assert tracking.client.create_experiment(name="other") == tracking.experiment("other")


def test_what_was_deleted_or_linked_when_the_answer_was_lost_is_no_error(
    tracking: Tracking, lost: Callable[[str], None]
) -> None:
    client, experiment = tracking.client, tracking.experiment("runs")
    run_id = client.create_run(experiment, tags={"a": "b"}).info.run_id
    model_id = client.create_logged_model(experiment, source_run_id=run_id).model_id
    for name in ("log_inputs", "log_outputs", "delete_tag", "delete_logged_model", "delete_run"):
        lost(name)
    client.log_inputs(run_id, models=[LoggedModelInput(model_id)])
    client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    client.delete_tag(run_id, "a")
    client.delete_logged_model(model_id)
    client.delete_run(run_id)
    assert tracking.search([experiment]) == []


def test_every_run_is_born_once_also_where_nothing_is_lost(tracking: Tracking) -> None:
    experiment = tracking.experiment("runs")
    for _ in range(2):
        tracking.client.create_run(experiment)
    assert len({run.tags[BIRTH] for run in tracking.search([experiment])}) == 2


def test_creation_that_nobody_could_find_again_is_made_once(tracking: Tracking) -> None:
    """As one that a later version of this program, or of MLflow, may ask for."""
    known = {name for name in dir(MlflowClient) if name.startswith("create_") and may_be_repeated(name)}
    assert known == {
        "create_experiment", "create_run", "create_logged_model", "create_registered_model", "create_model_version",
    }  # fmt: skip
    made: list[str] = []
    tracking.now.create_webhook = lambda name: made.append(name) or _lose()  # type: ignore[method-assign, assignment]
    with pytest.raises(Outage, match="does not answer"):
        tracking.client.create_webhook("w")  # type: ignore[call-arg]
    assert made == ["w"]


def _lose() -> None:
    raise requests.ConnectionError("reset by peer")
