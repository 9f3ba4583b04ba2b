"""What a browser that comes for the first time is told, in front of any application."""

import asyncio
import configparser
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from asc_experiments.tracking import Tracking
from asc_experiments.tracking.ui.first_visit import APP, FirstVisit, first_visit_script, with_script
from asc_experiments.tracking.ui.table_view import page_view

PAGE = "<!doctype html><html><head><title>MLflow</title></head><body></body></html>"


def values_of(script: str) -> dict[str, object]:
    """What the script writes, by the name that MLflow keeps it under."""
    text = script.partition("Object.entries(")[2].rpartition(")) if")[0]
    return {name: json.loads(value) for name, value in json.loads(text).items()}


@dataclass(frozen=True)
class Answer:
    """What an application answered."""

    status: int
    headers: dict[str, str]
    text: str


Ask = Callable[..., Answer]


async def ask_app(app: Any, path: str, **headers: str) -> Answer:
    """Ask an application for a path, as a server does."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asked = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": asked, "root_path": ""}
    await app(scope, receive, send)
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], told, b"".join(each.get("body", b"") for each in sent[1:]).decode())


@pytest.fixture
def ask(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """A small application behind ours, on a workspace with one experiment of ours."""
    found = tracking.experiment("seen")
    tracking.describe(found, "note", page_view("trial", ["teachers"], ["a", "s4"], "objective"))
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", tracking.uri)

    def page(request: Request) -> Response:
        if "if-none-match" in request.headers:
            return Response(status_code=304)
        return HTMLResponse(PAGE, headers={"etag": '"1"', "last-modified": "yesterday"})

    def other(request: Request) -> Response:
        return PlainTextResponse("<head>", headers={"etag": '"2"'})

    app = FirstVisit(Starlette(routes=[Route("/", page), Route("/other", other)]))
    return lambda path, **headers: asyncio.run(ask_app(app, path, **headers))


def test_first_page_tells_the_mode_the_panel_and_the_columns_of_every_experiment_of_ours(ask: Ask) -> None:
    answer = ask("/", if_none_match='"1"')
    assert answer.status == 200
    assert "etag" not in answer.headers
    assert int(answer.headers["content-length"]) == len(answer.text.encode())
    script = answer.text.partition("<head><script>")[2].partition("</script>")[0]
    values = values_of(script)
    assert values["mlflow.workflowType_v1"] == "machine_learning"
    assert values["mlflow.assistant.fab.autoOpenedOnFirstLoad_v1"] is True
    (table,) = (value for name, value in values.items() if "ExperimentPage" in name)
    assert isinstance(table, dict)
    assert table["searchFilter"] == "tags.`asc.kind` = 'trial'"
    assert "metrics.`accuracy/device/s4`" in table["selectedColumns"]
    assert table["lifecycleFilter"] == "Active"


def test_everything_else_passes_as_it_is(ask: Ask) -> None:
    answer = ask("/other")
    assert (answer.text, answer.headers["etag"]) == ("<head>", '"2"')


def test_page_comes_without_tables_where_the_database_does_not_answer(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_BACKEND_STORE_URI")
    answer = ask("/")
    assert "machine_learning" in answer.text
    assert "ExperimentPage" not in answer.text


def test_tag_that_anybody_wrote_ends_no_script() -> None:
    script = first_visit_script([("1", '{"searchFilter": "</script><script>alert(1)</script>"}'), ("2", "no JSON")])
    assert "</script>" not in script
    assert len(values_of(script)) == 4
    assert with_script(b"<p>no head</p>", script) == b"<p>no head</p>"


def test_installation_tells_mlflow_of_the_application() -> None:
    file = configparser.ConfigParser()
    file.read(Path(__file__).parents[3] / "setup.cfg")
    name, _, target = file["options.entry_points"]["mlflow.app"].strip().partition(" = ")
    module, _, function = target.partition(":")
    assert name == APP
    assert callable(getattr(import_module(module), function))
