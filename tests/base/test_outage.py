"""Failures are told apart once, by what they tell of, whichever library raised them."""

import sqlite3

import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, TEMPORARILY_UNAVAILABLE
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

from asc_experiments.base.errors import AscError
from asc_experiments.base.outage import Answer, Failure, Outage, failure_of, outage_of


def of_sqlite(text: str, values: tuple[str, ...] = ()) -> OperationalError:
    return OperationalError("INSERT INTO tags VALUES (?)", values, sqlite3.OperationalError(text))


def of_postgresql(text: str) -> ProgrammingError:
    return ProgrammingError("INSERT INTO tags VALUES (1)", {}, Exception(f"(psycopg.errors.{text}"))


def answered(status: int, code: str = "", text: str = "") -> requests.exceptions.RetryError:
    error = requests.exceptions.RetryError(f"too many {status} error responses")
    error.answer = Answer(status, code, text)  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ConnectionResetError("reset"), Failure.AWAY),
        (requests.ReadTimeout("slow"), Failure.AWAY),
        (StorageInternalError("gone"), Failure.AWAY),
        (InterfaceError("SELECT 1", {}, Exception("the connection is closed")), Failure.AWAY),
        (of_sqlite("database is locked"), Failure.AWAY),
        (of_sqlite("database is locked", ("OSError: no such table: tags",)), Failure.AWAY),
        (RuntimeError("OperationalError: (psycopg.OperationalError) connection refused"), Failure.AWAY),
        (answered(429), Failure.BUSY),
        (MlflowException("API request failed with error code 429 != 200"), Failure.BUSY),
        (answered(503, "TEMPORARILY_UNAVAILABLE", "database is locked"), Failure.TROUBLE),
        (answered(500, "", "<html>Internal Server Error</html>"), Failure.TROUBLE),
        (answered(500, "INVALID_STATE", "The version is pending"), None),
        (answered(503, "TEMPORARILY_UNAVAILABLE", "(sqlite3.OperationalError) no such table: tags"), Failure.SCHEMA),
        (answered(503, "TEMPORARILY_UNAVAILABLE", "attempt to write a readonly database"), Failure.READ_ONLY),
        (answered(500, "INTERNAL_ERROR", "database or disk is full"), Failure.FULL),
        (of_sqlite("no such table: tags"), Failure.SCHEMA),
        (of_sqlite("table runs has no column named source_version"), Failure.SCHEMA),
        (MlflowException(of_sqlite("no such column: runs.workspace"), TEMPORARILY_UNAVAILABLE), Failure.SCHEMA),
        (MlflowException(of_postgresql('UndefinedTable) relation "tags" does not exist'), BAD_REQUEST), Failure.SCHEMA),
        (MlflowException("Detected out-of-date database schema (found version a, but expected b)"), Failure.SCHEMA),
        (of_postgresql('UndefinedColumn) column "x" does not exist'), Failure.SCHEMA),
        (of_sqlite("attempt to write a readonly database"), Failure.READ_ONLY),
        (OSError(122, "Disk quota exceeded"), Failure.FULL),
        (of_sqlite('FATAL: password authentication failed for user "asc"'), Failure.REFUSED),
        (AscError("meta.csv", "no such column", "add it"), None),
        (MlflowException("no such run"), None),
        (ValueError("wrong"), None),
    ],
)
def test_failure_is_known_by_what_it_tells_of(error: Exception, failure: Failure | None) -> None:
    assert failure_of(error) is failure


def test_actor_that_died_with_the_head_of_a_ray_cluster_is_a_lost_cluster_and_an_error_of_a_task_is_none() -> None:
    exceptions = pytest.importorskip("ray.exceptions")
    assert failure_of(exceptions.RayActorError()) is Failure.CLUSTER
    lost = outage_of(exceptions.ActorDiedError(), "claims")
    assert lost is not None
    assert lost.line() == "the Ray cluster: does not answer (ActorDiedError); start it; the same command resumes"
    refused = exceptions.RayTaskError("train", "traceback", ConnectionError("refused")).as_instanceof_cause()
    assert isinstance(refused, ConnectionError)
    assert failure_of(refused) is None, "whoever asked the task looks at its cause"


def test_database_without_a_table_is_an_outage_that_says_how_to_upgrade_it() -> None:
    found = outage_of(of_sqlite("no such table: tags"), "study 's'", upgrade="run `mlflow db upgrade URI`")
    assert found is not None
    assert found.line() == (
        "study 's': its tables are not those of the installed version (no such table: tags); "
        "back the database up, then run `mlflow db upgrade URI`; or install the version that wrote it"
    )


def test_storage_that_does_not_answer_is_an_outage_only_where_nobody_waits_for_it() -> None:
    away = of_sqlite("database is locked")
    assert outage_of(away, "study 's'") is None
    found = outage_of(away, "study 's'", away="its storage does not answer")
    assert found is not None
    assert found.line().startswith("study 's': its storage does not answer (OperationalError); start the database")


def test_outage_that_another_error_was_raised_from_is_told_as_it_is() -> None:
    outage = Outage("http://server", "does not answer")
    error = RuntimeError("trial failed")
    error.__cause__ = outage
    assert outage_of(error, "anything") is outage
