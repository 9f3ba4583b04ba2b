"""Epoch metrics arrive in order and once, whatever becomes of the calls that carry them."""

import threading
from collections.abc import Sequence

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.entities import Metric

from asc_experiments.base.outage import Outage
from asc_experiments.tracking import Run, Tracking
from asc_experiments.tracking.client import metric_queue as outbox_module
from asc_experiments.tracking.client.metric_queue import Outbox

URI = "http://user:secret@server:5000"


def metric(step: int) -> Metric:
    return Metric("train/loss", 0.5, 1_000 + step, step)


class Unreliable:
    """A stand-in for a server that refuses calls, in this order, and keeps what it takes; then it takes all."""

    def __init__(self, failures: Sequence[Exception | None]) -> None:
        self.failures = list(failures)
        self.steps: list[int] = []

    def __call__(self, batch: Sequence[Metric]) -> None:
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        self.steps += [each.step for each in batch]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "waits", lambda: iter([0.0] * 10_000))


@settings(max_examples=30, deadline=None)
@given(failing=st.lists(st.booleans(), max_size=12), sizes=st.lists(st.integers(1, 900), min_size=1, max_size=6))
def test_metrics_arrive_in_order_and_once_however_often_the_server_fails(failing: list[bool], sizes: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox_module, "waits", lambda: iter([0.0] * 10_000))
        server = Unreliable([ConnectionError("refused") if fails else None for fails in failing])
        outbox = Outbox(server, URI)
        step = 0
        for size in sizes:
            outbox.put([metric(step + each) for each in range(size)])
            step += size
        outbox.flush(60)
        outbox.close()
    assert server.steps == list(range(step))


def test_who_puts_something_in_never_waits_for_the_server(at_once: None) -> None:
    goes_on = threading.Event()
    arrived: list[int] = []

    def hangs(batch: Sequence[Metric]) -> None:
        assert goes_on.wait(60)
        arrived.extend(each.step for each in batch)

    outbox = Outbox(hangs, URI)
    for step in range(5):
        outbox.put([metric(step)])
    assert arrived == []
    goes_on.set()
    outbox.flush(60)
    assert arrived == list(range(5))


def test_flush_that_waited_in_vain_is_one_line_without_secrets() -> None:
    outbox = Outbox(Unreliable([requests.ConnectionError("refused")] * 1_000), URI)
    outbox.put([metric(1)])
    with pytest.raises(Outage, match=r"does not answer; start it; the same command resumes") as caught:
        outbox.flush(0.3)
    outbox.close()
    assert "secret" not in caught.value.line()


def test_what_the_server_refuses_for_good_is_raised_and_nothing_after_it_is_sent(at_once: None) -> None:
    server = Unreliable([ValueError("no such run")])
    outbox = Outbox(server, URI)
    outbox.put([metric(1)])
    with pytest.raises(ValueError, match="no such run"):
        outbox.flush(60)
    with pytest.raises(ValueError, match="no such run"):
        outbox.put([metric(2)])
    assert server.steps == []


def test_metrics_whose_answer_was_lost_are_not_doubled(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database took them, and the connection broke before it could say so: they are sent a second time."""
    real, lost = tracking.now.log_batch, [True, False, True]

    def log(*arguments: object, **named: object) -> None:
        real(*arguments, **named)  # type: ignore[arg-type]
        if lost and lost.pop():
            raise requests.ConnectionError("reset by peer")

    monkeypatch.setattr(tracking.now, "log_batch", log)
    with tracking.run(tracking.experiment("runs"), "x", "student") as run:
        for step in (1, 2, 3):
            run.curve({"train/loss": 1.0 / step, "train/learning_rate": float("nan")}, step, 1_000 * step)
    for name in ("train/loss", "train/learning_rate"):
        points = tracking.client.get_metric_history(run.run_id, name)
        assert sorted((point.step, point.timestamp) for point in points) == [(1, 1_000), (2, 2_000), (3, 3_000)]


def test_run_whose_creation_was_not_answered_is_not_created_twice(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, lost = tracking.now.create_run, [True]

    def create(*arguments: object, **named: object) -> object:
        created = real(*arguments, **named)  # type: ignore[arg-type]
        if lost and lost.pop():
            raise requests.ConnectionError("reset by peer")
        return created

    monkeypatch.setattr(tracking.now, "create_run", create)
    experiment = tracking.experiment("runs")
    with tracking.run(experiment, "x", "student"):
        pass
    assert [record.status for record in tracking.search([experiment])] == ["FINISHED"]


def everything(run: Run) -> None:
    """Whatever a run may be told, twice as where an answer was lost."""
    for _ in range(2):
        run.params({"epochs": 3})
        run.tags({"colour": "blue"})
        run.metrics({"accuracy/overall": 0.5})
        run.dataset("corpus", "c0ffee", "somewhere", "{}")
        run.content(b"logits", "logits/logits.npz")
        run.table({"device": ["a"]}, "table.json")


def test_whatever_a_run_is_told_twice_it_keeps_once(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "asc_experiments.tracking.client.run.time.time", lambda: 1.0
    )  # a call that is made again, as it was
    with tracking.run(tracking.experiment("runs"), "x", "student") as run:
        everything(run)
    stored = tracking.client.get_run(run.run_id)
    assert len(stored.inputs.dataset_inputs) == 1
    assert len(tracking.client.get_metric_history(run.run_id, "accuracy/overall")) == 1
    assert sorted(found.path for found in tracking.client.list_artifacts(run.run_id)) == ["logits", "table.json"]


def test_run_is_not_finished_before_its_curves_have_arrived(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise requests.ConnectionError("refused")

    monkeypatch.setenv("ASC_TRACKING_PATIENCE", "0.3")
    experiment = tracking.experiment("runs")
    with pytest.raises(Outage), tracking.run(experiment, "x", "student") as run, monkeypatch.context() as patch:
        patch.setattr(tracking.now, "log_batch", away)
        run.curve({"train/loss": 1.0}, 1, 1_000)
        run.flush()
    assert tracking.get(run.run_id).status == "KILLED"
