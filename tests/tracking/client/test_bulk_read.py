"""Thousands of runs at once: read from the database's tables, they are what MLflow says they are."""

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Connection, Select
from sqlalchemy.pool import NullPool

from asc_experiments.base.errors import AscError
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client import bulk_read as many
from asc_experiments.tracking.client.bulk_read import finished_runs, finished_runs_in_database, runs_of_kinds
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND
from asc_experiments.tracking.trials import (
    DIRECTION,
    OBJECTIVE_VALUE,
    REPLICATED,
    REPLICATED_AT,
    TRIAL,
    best_finished_trial,
    best_trial,
    finished_trials,
)

VALUES = {"accuracy/overall": 0.1 + 0.2, "loss/overall": math.nan, "largest": math.inf, "tiny": 5e-324}


def test_runs_are_read_as_mlflow_reads_them(tracking: Tracking) -> None:
    experiment, other = tracking.experiment("tiny"), tracking.experiment("other")
    for kind in ("trial", "seed", "replicate", "trial"):
        with tracking.run(experiment, f"one {kind}", kind, {"empty": ""}) as run:
            run.log({"a": 1, "b": "ü"}, VALUES, {"c": kind}, "said")
            run.metrics({"accuracy/overall": 0.5}, step=1)
    with tracking.run(experiment, "without anything", "trial"):
        pass
    with tracking.run(other, "elsewhere", "trial"):
        pass
    running = tracking.client.create_run(experiment, tags={KIND: "trial"}, run_name="active")
    deleted = tracking.client.create_run(experiment, tags={KIND: "trial"})
    tracking.delete(deleted.info.run_id)

    read = runs_of_kinds(tracking, experiment, ["trial", "replicate"])
    asked = tracking.search([experiment], f"tags.`{KIND}` != 'seed'")
    assert len(read) == 5
    assert running.info.run_id in {run.run_id for run in read}
    assert sorted(map(repr_of, read)) == sorted(map(repr_of, asked))
    assert [run.start_time for run in read] == sorted(run.start_time for run in read)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_finished_runs_are_those_that_mlflow_finds_with_and_without_it(
    request: pytest.FixtureRequest, database: str
) -> None:
    """Not those that are active, failed or deleted; but those without a kind, and those that were restored."""
    server: Tracking = request.getfixturevalue("tracking" if database == "sqlite" else "on_postgres")
    experiment, other = server.experiment("teachers"), server.experiment("other")
    for number in range(3):
        with server.run(experiment, f"one {number}", "teacher", {"empty": ""}) as run:
            run.log({"a": number, "b": "ü"}, VALUES, {"c": "d"}, "said")
    with server.run(other, "elsewhere", "teacher"):
        pass
    deleted, restored, unnamed, failed = (server.client.create_run(experiment).info.run_id for _ in range(4))
    server.client.create_run(experiment, tags={KIND: "teacher"}, run_name="active")
    for run_id in (deleted, restored, unnamed):
        server.client.set_terminated(run_id, "FINISHED")
    server.client.set_terminated(failed, "FAILED")
    server.delete(deleted)
    server.delete(restored)
    server.client.restore_run(restored)

    expected = [*map(repr_of, server.search([experiment], where(status="FINISHED")))]
    assert len(expected) == 5
    assert [*map(repr_of, finished_runs(server, experiment))] == expected
    without = finished_runs_in_database(server.uri, "teachers")
    assert without is not None
    assert [*map(repr_of, without)] == expected


def test_mlflow_is_asked_where_a_database_alone_cannot_answer(tracking: Tracking, tmp_path: Path) -> None:
    assert finished_runs_in_database(tracking.uri, "teachers") is None, "there is no such experiment"
    experiment = tracking.experiment("teachers")
    assert finished_runs_in_database(tracking.uri, "teachers") == []
    with tracking.run(experiment, "long", "teacher") as run:
        run.tags({"recipe": 9_000 * "x"})
    assert finished_runs_in_database(tracking.uri, "teachers") is None, "a tag is a file"
    tracking.delete(run.run_id)
    assert finished_runs_in_database(tracking.uri, "teachers") == []
    tracking.client.delete_experiment(experiment)
    assert finished_runs_in_database(tracking.uri, "teachers") is None, "the experiment was deleted"

    missing, empty = tmp_path / "missing.db", tmp_path / "empty.db"
    empty.touch()
    for uri in (
        f"sqlite:///{missing}", f"sqlite:///{empty}", "sqlite://", "sqlite:nonsense", "http://127.0.0.1:9",
        "postgresql+psycopg://127.0.0.1:9/nobody", "postgresql+nodriver://127.0.0.1:9/nobody", "nonsense",
    ):  # fmt: skip
        assert finished_runs_in_database(uri, "teachers") is None, uri
    assert not missing.exists(), "nothing is made"


def repr_of(run: object) -> str:
    """Of every field; what is in a mapping is put in order. (NaN equals nothing, but reads the same.)"""
    return repr([sorted(value.items()) if isinstance(value, dict) else value for value in vars(run).values()])


def changes_between_reads(monkeypatch: pytest.MonkeyPatch, change: Callable[[], None]) -> list[str]:
    """Has somebody else write before each table but the first is read; what was read since."""
    read: list[str] = []
    by_run = many._by_run

    def slow(connection: Connection, of: Select[Any], ids: Select[Any]) -> dict[str, dict[str, Any]]:
        change()
        read.append(str(of))
        return by_run(connection, of, ids)

    monkeypatch.setattr(many, "_by_run", slow)
    return read


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_live_study_is_read_as_it_was_at_one_moment(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    """Between two tables a trial begins, another gets a metric that is no number, and a third loses its tags."""
    live: Tracking = request.getfixturevalue("tracking" if database == "sqlite" else "on_postgres")
    rows = sqlalchemy.create_engine(live.uri, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    if database == "sqlite":
        with rows.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")  # who writes need not wait for who reads
    experiment = live.experiment("tiny")
    with live.run(experiment, "trial 0", "trial") as first, live.run(experiment, "trial 1", "trial") as second:
        first.metrics({"loss/overall": 0.5})
    before = repr([*map(repr_of, runs_of_kinds(live, experiment, ["trial"]))])

    def change() -> None:
        with live.run(experiment, "another", "trial") as run:
            run.metrics({"loss/overall": math.nan})
        live.writer(first.run_id, experiment).metrics({"loss/overall": math.nan}, step=1)
        with rows.connect() as connection:
            connection.exec_driver_sql(f"DELETE FROM tags WHERE run_uuid = '{second.run_id}'")

    read = changes_between_reads(monkeypatch, change)
    assert repr([*map(repr_of, runs_of_kinds(live, experiment, ["trial"]))]) == before
    assert len(read) == 3


@pytest.fixture
def trials(tracking: Tracking) -> Callable[..., None]:
    """Makes finished trials with these values."""

    def make(values: list[float], direction: str = "maximize") -> None:
        for number, value in enumerate(values):
            tags = {TRIAL: str(number), DIRECTION: direction}
            with tracking.run(tracking.experiment("tiny"), f"trial {number}", "trial", tags) as run:
                run.metrics({OBJECTIVE_VALUE: value})

    return make


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_best_trial_that_the_server_finds_is_the_best_of_all(
    tracking: Tracking, trials: Callable[..., None], direction: str
) -> None:
    chance = random.Random(0)
    trials([0.5, *(chance.choice([0.25, 0.5, 0.75]) for _ in range(30))], direction)
    expected = best_trial(finished_trials(tracking, "tiny"), "tiny")
    assert best_finished_trial(tracking, "tiny").run_id == expected.run_id


def test_best_of_those_that_were_tried_again_is_the_best(tracking: Tracking, trials: Callable[..., None]) -> None:
    trials([0.9, 0.8, 0.7])
    for run, again in zip(finished_trials(tracking, "tiny")[1:], (0.6, 0.65), strict=True):
        writer = tracking.writer(run.run_id, run.experiment_id)
        writer.metrics({REPLICATED: again})
        writer.tags({REPLICATED_AT: "5"})
    assert best_finished_trial(tracking, "tiny").name == "trial 2"


def test_study_without_a_finished_trial_has_no_best(tracking: Tracking) -> None:
    tracking.experiment("tiny")
    with pytest.raises(AscError, match="has no finished trial"):
        best_finished_trial(tracking, "tiny")
