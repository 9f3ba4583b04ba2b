"""Listings are whole, however long they are."""

import ast
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.store.entities import PagedList

import asc_experiments
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client import client
from asc_experiments.tracking.client.records import OWNER
from asc_experiments.tracking.ui.table_view import page_view, pages

_DEAD = "asc-nowhere:1:1"
_PACKAGE = Path(asc_experiments.__file__).parent
_ONE = {"bench/many_runs.py": "search_registered_models"}
"""Asked for one name."""


@pytest.fixture
def crowded(tracking: Tracking, workspace: Path) -> Tracking:
    """A server with 1,001 experiments that are newer than the study ``first``."""
    first = tracking.experiment("first")
    tracking.describe(first, "note", page_view("trial", ["teachers"], ["a", "s4"], "objective"))
    later = "SELECT MAX(creation_time) + 1 FROM experiments"
    with sqlite3.connect(workspace / "mlruns" / "mlflow.db") as connection:
        (time,) = connection.execute(later).fetchone()
        rows = [(1_000 + number, f"study {number}", "file:///x", "active", time, time) for number in range(1_001)]
        columns = "experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time"
        connection.executemany(f"INSERT INTO experiments ({columns}) VALUES (?, ?, ?, ?, ?, ?)", rows)
    return tracking


def test_experiment_behind_a_thousand_others_is_seen(crowded: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    first = crowded.experiment("first")
    assert crowded.experiments()[first] == "first"
    assert len(crowded.experiments()) == 1_003
    assert set(pages(crowded)) == {"first"}
    left = crowded.client.create_run(first, tags={OWNER: _DEAD})
    monkeypatch.setattr(client, "is_gone", lambda owner: owner == _DEAD)
    assert crowded.sweep() == 1
    assert crowded.get(left.info.run_id).status == "KILLED"


def test_search_does_not_stop_at_fifty_thousand_runs_and_takes_a_run_that_moved_between_pages_once() -> None:
    def search_runs(ids: list[str], query: str, view: object, size: int, order: list[str], token: str | None) -> Any:
        page = int(token or 0)
        first = page * size - (page > 30)  # one was deleted meanwhile: what follows moves up
        runs = [
            SimpleNamespace(
                info=SimpleNamespace(
                    artifact_uri="", run_id=str(n), experiment_id="1", run_name="", status="", start_time=0, end_time=0
                ),
                data=SimpleNamespace(params={}, metrics={}, tags={}),
            )
            for n in range(max(0, first), first + size)
        ]
        return PagedList(runs, str(page + 1) if page < 51 else None)

    tracking = Tracking.__new__(Tracking)
    tracking._files = {}
    tracking.client = SimpleNamespace(search_runs=search_runs)  # type: ignore[assignment]
    found = [run.run_id for run in tracking.search(["1"])]
    assert found == [str(number) for number in range(51_999)]
    assert len(tracking.search(["1"], limit=1_500)) == 1_500
    assert len(tracking.search(["1"], limit=1)) == 1


def test_every_listing_of_the_package_is_paged() -> None:
    """A function that asks MLflow's client for a listing goes through all of its pages, or wants the first entry."""
    bare = []
    for path in sorted(_PACKAGE.rglob("*.py")):
        name = path.relative_to(_PACKAGE).as_posix()
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                called = {each.attr for each in ast.walk(function) if isinstance(each, ast.Attribute)}
                listings = {each for each in called if each.startswith("search_")} - {_ONE.get(name)}
                text = ast.unparse(function)
                if listings and "every(" not in text and "max_results=1)" not in text:
                    bare.append(f"{name}: {function.name}")
    assert bare == []
