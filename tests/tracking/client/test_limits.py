"""Whatever is told to a tracking server fits, in SQLite, which takes everything, and PostgreSQL, which does not."""

import json
from pathlib import Path

import pytest
from mlflow.entities import Metric, Param, RunTag

from asc_experiments.base.errors import AscError
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client import limits
from asc_experiments.tracking.client.limits import cut_at_line, in_calls, made_to_fit, short_key, size_of
from asc_experiments.tracking.client.records import NOTE

LONG_NAME = "accuracy/device/" + 300 * "x"


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> Tracking:
    found: Tracking = request.getfixturevalue("tracking" if request.param == "sqlite" else "on_postgres")
    return found


def test_every_text_that_is_too_long_is_cut_the_same_on_every_server(server: Tracking) -> None:
    client, experiment = server.client, server.experiment("long")
    run_id = client.create_run(experiment, tags={"a": 9_000 * "b", LONG_NAME: "c"}, run_name=300 * "n").info.run_id
    client.set_tag(run_id, LONG_NAME + "2", 9_000 * "d")
    metrics, params = [Metric(LONG_NAME, 0.5, 1, 0)], [Param(LONG_NAME, 9_000 * "p")]
    client.log_batch(run_id, metrics, params, [RunTag("e", 9_000 * "f")])
    client.set_experiment_tag(experiment, "g", 21_000 * "h")
    run = client.get_run(run_id)
    assert run.info.run_name == 249 * "n" + "…"
    assert run.data.tags["a"] == 7_999 * "b" + "…"
    assert run.data.tags["e"] == 7_999 * "f" + "…"
    assert run.data.tags[short_key(LONG_NAME)] == "c"
    assert run.data.tags[short_key(LONG_NAME + "2")] == 7_999 * "d" + "…"
    assert run.data.params == {short_key(LONG_NAME): 6_000 * "p"}
    assert run.data.metrics == {short_key(LONG_NAME): 0.5}
    assert client.get_experiment(experiment).tags["g"] == 4_999 * "h" + "…"


def test_description_and_tags_of_a_registered_version_are_cut(server: Tracking) -> None:
    client, experiment = server.client, server.experiment("registered")
    model_id = client.create_logged_model(experiment, tags={"a": 9_000 * "b"}).model_id
    name = f"model-{experiment}"
    client.create_registered_model(name, description=6_000 * "d")
    with server.current():
        source = f"models:/{model_id}"
        version = client.create_model_version(
            name, source, None, {"a": 9_000 * "b"}, description=6_000 * "d", model_id=model_id, await_creation_for=0
        )
    client.update_model_version(name, version.version, 6_000 * "e")
    client.set_model_version_tag(name, version.version, "c", 9_000 * "f")
    version = client.get_model_version(name, version.version)
    assert version.description == 4_999 * "e" + "…"
    assert version.tags["a"] == 4_999 * "b" + "…"
    assert version.tags["c"] == 4_999 * "f" + "…"
    assert client.get_registered_model(name).description == 4_999 * "d" + "…"


def test_everything_of_a_run_at_once_is_told_in_as_many_calls_as_it_takes(
    server: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server takes 100 parameters, 100 tags, 1,000 metrics and a million bytes in a call."""
    told: list[tuple[int, ...]] = []
    real = server.now.log_batch

    def log_batch(run_id: str, metrics: list[Metric] = [], params: list[Param] = [], tags: list[RunTag] = []) -> None:  # noqa: B006
        values = [entry.value for entry in (*params, *tags)]
        told.append((len(metrics), len(params), len(tags), len(json.dumps(values)) + 100 * len(metrics)))
        real(run_id, metrics, params, tags)

    monkeypatch.setattr(server.now, "log_batch", log_batch)
    params = {f"p{number}": 6_000 * "ü" for number in range(60)}
    tags = {f"t{number}": 2_000 * "ü" for number in range(250)}
    metrics = {f"m{number}": float(number) for number in range(1_700)}
    with server.run(server.experiment("much"), "x", "student") as run:
        run.log(params, metrics, tags, "| a |\n" * 2_000)
    record = server.get(run.run_id)
    assert record.params == params
    assert record.metrics == metrics
    assert tags.items() <= dict(record.tags).items()
    assert record.tags[NOTE].endswith("| a |\n…")
    assert len(record.tags[NOTE]) <= limits.TAG
    for of_call in told:
        assert all(count <= most for count, most in zip(of_call, (1_000, 100, 100, 1_000_000), strict=True))


def test_workspace_whose_path_is_too_long_for_the_database_is_refused_before_there_is_a_run(
    on_postgres: Tracking, tmp_path: Path
) -> None:
    message = r"too long a path for the files of 'deep' .*; give a --workspace with a shorter path"
    with pytest.raises(AscError, match=message):
        Tracking.open(tmp_path / ("d" * 120), on_postgres.uri).experiment("deep")


def test_names_that_are_cut_stay_two() -> None:
    names = {short_key(300 * "x" + end) for end in ("a", "b")}
    assert len(names) == 2
    assert {len(name) for name in names} == {250}
    assert short_key("as it is") == "as it is"


def test_markdown_is_cut_between_lines() -> None:
    assert cut_at_line("one\ntwo\nthree", 100) == "one\ntwo\nthree"
    assert cut_at_line("one\ntwo\nthree", 10) == "one\ntwo\n…"
    assert cut_at_line(20 * "x", 10) == 9 * "x" + "…"


def test_calls_hold_no_more_than_they_may() -> None:
    entries = [RunTag(str(number), 150_000 * "x") for number in range(5)]
    assert [len(call) for call in in_calls(entries, size_of)] == [2, 2, 1]
    assert [len(call) for call in in_calls(list(range(200)))] == [90, 90, 20]
    assert list(in_calls([])) == []


def test_call_that_has_no_texts_is_left_as_it_is() -> None:
    assert made_to_fit("get_run", ("id",), {}) == (("id",), {})
    assert made_to_fit("create_run", ("1",), {}) == ((), {"experiment_id": "1"})
