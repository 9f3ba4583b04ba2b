"""Records: every number survives, and what an archive from anybody may hold is refused in one line."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asc_experiments.base.errors import AscError
from asc_experiments.migration.records import ExperimentEntry, RunEntry

RUN: dict[str, Any] = {
    "id": "a" * 32, "origin": "b" * 32, "experiment": "tiny", "name": "trial 0", "status": "FINISHED",
    "start_time": 1, "end_time": 2, "params": {}, "tags": {}, "metrics": {},
    "datasets": [], "made_from": [], "made": {},
}  # fmt: skip


def read(**changed: Any) -> RunEntry:
    return RunEntry.read(json.dumps(RUN | changed).encode(), "archive")


@given(st.lists(st.tuples(st.floats(), st.integers(0, 2**62), st.integers(-(2**62), 2**62))))
def test_metrics_survive_to_the_last_bit(points: list[tuple[float, int, int]]) -> None:
    again = RunEntry.read(read(metrics={"loss": points}).text().encode(), "archive").metrics["loss"]
    assert [repr(tuple(point)) for point in again] == [repr(point) for point in points]
    assert all(math.isnan(p.value) == math.isnan(q[0]) for p, q in zip(again, points, strict=True))


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "../../outside"}, {"origin": "A" * 32}, {"status": "RUNNING"}, {"end_time": "now"}, {"unknown": 1},
        {"made": {"m-1": 0}}, {"metrics": {"loss": [[1, 2]]}}, {"tags": {"a": 1}},
    ],
    ids=str,
)  # fmt: skip
def test_a_record_that_no_export_writes_is_one_line(changed: dict[str, Any]) -> None:
    with pytest.raises(AscError, match=r"^archive: "):
        read(**changed)


@pytest.mark.parametrize("name", ["..", "a/b", "", "."])
def test_an_experiment_that_would_lie_outside_of_its_folder_is_refused(name: str) -> None:
    with pytest.raises(AscError, match="'name'"):
        ExperimentEntry.read(json.dumps({"id": "1", "name": name, "tags": {}}).encode(), "archive")


def test_what_is_no_json_is_one_line() -> None:
    with pytest.raises(AscError, match="archive: is not valid JSON"):
        RunEntry.read(b"{", "archive")
