"""What a tracking server says when it does not do as asked decides whether it is waited for, and for how long."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from asc_experiments.base.errors import AscError
from asc_experiments.base.outage import Outage
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client import retry as patience
from asc_experiments.tracking.client.bulk_read import runs_of_kinds

NO_TABLE = "(sqlite3.OperationalError) no such table: tags\n[SQL: SELECT 1]"


@dataclass
class Server:
    """A tracking server that answers as it is told, and then that there is no experiment."""

    url: str
    answers: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def refuses(self, status: int, code: str = "", text: str = "", **headers: str) -> None:
        body = json.dumps({"error_code": code, "message": text}) if code else text
        self.answers.append((status, {name.replace("_", "-"): value for name, value in headers.items()}, body))


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.asked.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = made.answers.pop(0) if made.answers else (200, {}, '{"experiments": []}')
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        made = Server(f"http://127.0.0.1:{httpd.server_address[1]}")
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        httpd.shutdown()
        thread.join()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, instead of waiting."""
    waits: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", waits.append)
    return waits


def test_server_that_asks_for_fewer_calls_is_left_alone_for_as_long_as_it_says(
    server: Server, slept: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    server.refuses(429, "REQUEST_LIMIT_EXCEEDED", "too many", Retry_After="70")
    server.refuses(429, text="slow down")
    assert Tracking(server.url, None).experiments() == {}
    assert slept == [70.0, 0.5]
    assert "the tracking server asks for fewer calls (HTTP 429); waiting for up to 600 s" in capsys.readouterr().err


def test_server_that_asks_for_fewer_calls_when_somebody_begins_is_taken_as_one_that_answers(
    server: Server, slept: list[float], tmp_path: Path
) -> None:
    server.answers.append((200, {}, "OK"))  # its health, asked twice
    server.answers.append((200, {}, "OK"))
    server.refuses(429, text="slow down", Retry_After="3")
    Tracking.open(tmp_path, server.url)
    assert slept == []
    assert len(server.asked) == 3


def test_server_that_asks_to_be_left_alone_for_longer_than_it_is_waited_for_is_told_at_once(
    server: Server, slept: list[float]
) -> None:
    server.refuses(429, text="slow down", Retry_After="7200")
    with pytest.raises(Outage, match=r"asks for fewer calls \(HTTP 429\); have its limit raised, or set ASC_TRACKING"):
        Tracking(server.url, None).experiments()
    assert slept == []


def test_server_in_trouble_is_waited_for_and_then_told_in_its_own_words(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASC_TRACKING_PATIENCE", "0.5")
    for _ in range(9):
        server.refuses(503, "TEMPORARILY_UNAVAILABLE", "the database is starting up\nmore")
    with pytest.raises(Outage, match=r"answers with errors \(the database is starting up\); see its log"):
        Tracking(server.url, None).experiments()
    assert len(server.asked) > 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (NO_TABLE, r"\(no such table: tags\); back the database up, then run `mlflow db upgrade` where that server"),
        ("attempt to write a readonly database", "is read-only; make it writable"),
    ],
)
def test_what_does_not_pass_on_a_server_is_told_at_once(
    server: Server, slept: list[float], text: str, line: str
) -> None:
    server.refuses(503, "TEMPORARILY_UNAVAILABLE", text)
    with pytest.raises(Outage, match=line):
        Tracking(server.url, None).experiments()
    assert (len(server.asked), slept) == (1, [])


def test_call_that_a_server_refuses_with_status_500_is_raised_in_its_words(server: Server, slept: list[float]) -> None:
    server.refuses(500, "INVALID_STATE", "The version is pending")
    with pytest.raises(MlflowException, match="The version is pending") as refused:
        Tracking(server.url, None).experiments()
    assert refused.value.error_code == "INVALID_STATE"
    assert (len(server.asked), slept) == (1, [])


@pytest.mark.parametrize("damage", ["DROP TABLE tags", "ALTER TABLE runs DROP COLUMN source_version"])
def test_missing_table_or_column_of_a_workspace_is_one_line_at_once(
    tracking: Tracking, workspace: Path, slept: list[float], damage: str
) -> None:
    experiment = tracking.experiment("tiny")
    with sqlite3.connect(workspace / "mlruns" / "mlflow.db") as connection:
        connection.execute(damage)
    upgrade = f"run `mlflow db upgrade {tracking.uri}`; or install the version that wrote it"
    with pytest.raises(Outage) as caught, tracking.run(experiment, "x", "student"):
        pytest.fail("there is a run")
    assert caught.value.line().endswith(upgrade)
    if "tags" in damage:
        with pytest.raises(Outage) as caught:
            runs_of_kinds(tracking, experiment, ["trial"])
        assert caught.value.line().endswith(upgrade)
    assert slept == []


def test_database_of_another_version_is_refused_with_the_command_that_upgrades_it(
    workspace: Path, slept: list[float]
) -> None:
    with sqlite3.connect(workspace / "mlruns" / "mlflow.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'b7c8d9e0f1a2'")
    with pytest.raises(AscError) as caught:
        Tracking.open(workspace)
    assert "found version b7c8d9e0f1a2" in caught.value.line()
    assert f"then run `mlflow db upgrade sqlite:///{workspace}" in caught.value.line()
