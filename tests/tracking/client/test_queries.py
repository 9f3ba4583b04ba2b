"""MLflow's filter language, in one place."""

import re
from pathlib import Path

import pytest

import asc_experiments
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.queries import ANY, highest, lowest, where

PACKAGE = Path(asc_experiments.__file__).parent
FILTER = re.compile(r"attributes\.\w+ *(!?=|>|<)|tags\.`|metrics\.`\w+` (DESC|ASC)|LIKE '")


@pytest.fixture
def runs(tracking: Tracking) -> str:
    """An experiment of three finished runs and a failed one."""
    experiment = tracking.experiment("queries")
    for name, tags in (("a", {"x": "1"}), ("b", {"x": "12", "y": "it's"}), ("c", {})):
        with tracking.run(experiment, name, "trial", tags) as run:
            run.metrics({"objective": {"a": 0.2, "b": 0.9, "c": 0.5}[name]})
    with pytest.raises(RuntimeError), tracking.run(experiment, "d", "seed", {"x": "1"}):
        raise RuntimeError("lost")
    return experiment


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (where(), "abcd"),
        (where({"x": "1"}), "ad"),
        (where({"x": "1"}, status="FINISHED"), "a"),
        (where({"x": ANY}), "abd"),
        (where({"x": None}), "c"),
        (where(begins={"x": "1"}), "abd"),
        (where(status="!FINISHED"), "d"),
        (where({"asc.kind": "trial", "x": None}, status="FINISHED"), "c"),
        (where({"y": "it's"}), "b"),
        (where(ended_after=0, status="FINISHED"), "abc"),
        (where(ended_after=10**15), ""),
    ],
)
def test_filter_finds_what_meets_all_of_its_conditions(tracking: Tracking, runs: str, query: str, names: str) -> None:
    assert "".join(sorted(run.name for run in tracking.search([runs], query))) == names


def test_order_is_by_a_metric(tracking: Tracking, runs: str) -> None:
    trials = where({"asc.kind": "trial"})
    found = [[run.name for run in tracking.search([runs], trials, order=[by("objective")])] for by in (highest, lowest)]
    assert found == [["b", "c", "a"], ["a", "c", "b"]]


def test_run_is_found_by_its_id(tracking: Tracking, runs: str) -> None:
    first = tracking.search([runs])[0]
    assert [run.run_id for run in tracking.search([runs], where(run_id=first.run_id))] == [first.run_id]


def test_value_that_no_quotation_mark_fits_is_refused() -> None:
    with pytest.raises(ValueError, match="both kinds"):
        where({"x": "'\""})


def test_nothing_else_writes_that_language() -> None:
    others = [path for path in PACKAGE.rglob("*.py") if path.name != "queries.py"]
    assert len(others) > 300
    assert [path.name for path in others if FILTER.search(path.read_text())] == []
