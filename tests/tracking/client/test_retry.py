"""Calls wait for a server that is away, and for no other reason."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
from sqlalchemy.exc import OperationalError

from asc_experiments.base.errors import AscError
from asc_experiments.base.outage import Outage
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.retry import may_pass, patient, patiently


def answered(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError("an error page", response=response)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (requests.ConnectionError("refused"), True),
        (requests.ReadTimeout("slow"), True),
        (requests.exceptions.ChunkedEncodingError("broken off"), True),
        (ConnectionResetError("reset"), True),
        (answered(503), True),
        (requests.exceptions.RetryError("too many 500 error responses"), True),
        (answered(404), False),
        (MlflowException("database is starting up", TEMPORARILY_UNAVAILABLE), True),
        (MlflowException("API request failed with error code 502 != 200"), True),
        (MlflowException("no such run"), False),
        (OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full")), True),
        (OperationalError("INSERT", {}, sqlite3.OperationalError("attempt to write a readonly database")), False),
        (OSError(28, "No space left on device"), True),
        (ValueError("wrong"), False),
    ],
)
def test_errors_that_may_pass_are_told_from_those_that_stay(error: Exception, passes: bool) -> None:
    assert may_pass(error) == passes


def test_error_that_mlflow_wrapped_is_known_by_what_it_was_raised_from() -> None:
    with pytest.raises(MlflowException) as caught:
        try:
            raise requests.ConnectionError("refused")
        except requests.ConnectionError:
            raise MlflowException("API request failed") from None
    assert not may_pass(caught.value), "whoever hides a cause means it"
    with pytest.raises(MlflowException) as caught:
        try:
            raise requests.ConnectionError("refused")
        except requests.ConnectionError:
            raise MlflowException("API request failed")  # noqa: B904 - as MLflow does
    assert may_pass(caught.value)


def test_call_is_made_until_it_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    failures = [requests.ConnectionError("refused")] * 2

    def call() -> str:
        if failures:
            raise failures.pop()
        return "answer"

    assert patiently(call, "http://server") == "answer"
    assert capsys.readouterr().err == "", "a moment is not worth a line"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (requests.ConnectionError("refused"), "the tracking server does not answer; start it"),
        (requests.exceptions.RetryError("500"), "the tracking server answers with errors; see its log"),
        (OSError(28, "No space left on device"), "the tracking server has no space left to write to; free some"),
        (OSError(30, "Read-only file system"), "is read-only; make it writable"),
    ],
)
def test_patience_that_is_at_its_end_is_one_line(error: Exception, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASC_TRACKING_PATIENCE", "0.1")

    def call() -> None:
        raise error

    with pytest.raises(Outage, match=line) as caught:
        patiently(call, "http://user:secret@server")
    assert "the same command resumes" in caught.value.line()
    assert "secret" not in caught.value.line()


def test_patience_that_is_no_duration_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASC_TRACKING_PATIENCE", "soon")
    with pytest.raises(AscError, match="ASC_TRACKING_PATIENCE soon: is no duration"):
        Tracking.open(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_another_process_sets_at_the_same_moment_is_set_again(tracking: Tracking) -> None:
    """Four threads, each with a connection of its own, set the same tag of experiments that have none yet."""
    mine = [Tracking(tracking.uri, None) for _ in range(4)]
    for number in range(6):
        experiment, together = tracking.experiment(f"experiment {number}"), threading.Barrier(4)

        def sets(one: Tracking, experiment: str = experiment, together: threading.Barrier = together) -> None:
            together.wait()
            one.client.set_experiment_tag(experiment, "tag", "value")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(sets, mine))
        assert tracking.experiment_tags(experiment)["tag"] == "value"


@pytest.mark.parametrize(
    ("refusals", "tries"),
    [
        (["(psycopg.errors.UniqueViolation) duplicate key value"], 2),
        (["UNIQUE constraint failed: datasets.name"], 2),
        (["UNIQUE constraint failed: datasets.name"] * 2, None),
        (["no such run"], None),
    ],
)
def test_call_that_was_overtaken_is_made_once_more(refusals: list[str], tries: int | None) -> None:
    """As a server words it: the same row was written by somebody else between its look and its insertion."""
    made: list[str] = []

    class Server:
        def log_inputs(self, run_id: str) -> str:
            made.append(run_id)
            if len(made) <= len(refusals):
                raise MlflowException(refusals[len(made) - 1])
            return run_id

    client = patient(Server(), "http://server")  # type: ignore[arg-type]
    if tries is None:
        with pytest.raises(MlflowException, match=refusals[-1]):
            client.log_inputs("it")
    else:
        assert client.log_inputs("it") == "it"
    assert len(made) == (tries or len(refusals))
