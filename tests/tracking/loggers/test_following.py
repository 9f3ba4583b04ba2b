"""A secondary logger costs a run nothing but its own log."""

import math
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.loggers import RunLogger, StartedRun
from asc_experiments.tracking.loggers.following import LogTo, place_of
from asc_experiments.tracking.loggers.logger import loggers, register_logger

Register = Callable[[type[RunLogger]], str]
CONTINUES = "the training continues, MLflow has all of it\n"


class Heard(RunLogger):
    """Keeps what it is told; raises where a test wants it to."""

    name = "heard"
    fails_in = ""
    calls: list[tuple[object, ...]]
    runs: list[StartedRun]

    def start(self, run: StartedRun) -> None:
        self.runs.append(run)
        self._hear("start")

    def scalars(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        self._hear("scalars", step, dict(values))

    def finish(self, status: str, params: Mapping[str, float | str], tags: Mapping[str, str]) -> None:
        self._hear("finish", status, dict(params))

    def _hear(self, *call: object) -> None:
        self.calls.append(call)
        if call[0] == self.fails_in:
            raise OSError(28, "No space left on device")


@pytest.fixture
def heard(registered: Register) -> type[Heard]:
    """A logger of one test."""
    kind = type("Heard", (Heard,), {"calls": [], "runs": []})
    registered(kind)
    return kind


@pytest.mark.parametrize("moment", ["start", "scalars", "finish"])
def test_logger_that_fails_is_told_once_and_dropped_and_the_run_is_whole(
    logging_to: Callable[..., Tracking], heard: type[Heard], capsys: pytest.CaptureFixture[str], moment: str
) -> None:
    heard.fails_in = moment
    tracking = logging_to("heard", "tensorboard")
    with tracking.run(tracking.experiment("runs"), "seed 7", "seed") as run:
        for epoch in (1, 2, 3):
            run.curve({"train/loss": 2.0}, epoch, 1_700_000_000_000)
        run.metrics({"accuracy/overall": 0.5})
    record = tracking.get(run.run_id)
    assert (record.status, record.metrics) == ("FINISHED", {"train/loss": 2.0, "accuracy/overall": 0.5})
    told = capsys.readouterr().err
    reason = "(OSError: [Errno 28] No space left on device)"
    assert told == f"seed 7: not logged to heard any more {reason}; {CONTINUES}"
    assert [call[0] for call in heard.calls].count(moment) == 1
    heard.fails_in = ""
    with tracking.run(tracking.experiment("runs"), "seed 8", "seed"):
        pass
    assert heard.calls[-1][:2] == ("finish", "FINISHED")  # the next run is told again


def test_tensorboard_whose_folder_cannot_be_made_costs_its_log_alone(
    logging_to: Callable[..., Tracking], workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "tensorboard").write_text("in the way")
    tracking = logging_to("tensorboard")
    with tracking.run(tracking.experiment("runs"), "seed 7", "seed") as run:
        run.curve({"train/loss": 2.0}, 1, 1_700_000_000_000)
    assert tracking.get(run.run_id).status == "FINISHED"
    told = capsys.readouterr().err
    assert told.startswith("seed 7: not logged to tensorboard any more (NotADirectoryError: ")
    assert told.count("\n") == 1


def test_run_is_told_of_with_its_group_its_place_and_where_it_is_in_mlflow(
    logging_to: Callable[..., Tracking], heard: type[Heard], workspace: Path
) -> None:
    tracking = logging_to("heard")
    experiment = tracking.experiment("a/study")
    with tracking.run(experiment, "trial 3", "trial", {"asc.trial": "3"}) as trial:
        pass
    with tracking.run(experiment, "seed 7", "seed", parent=trial.run_id):
        pass
    with tracking.run(tracking.experiment("teachers"), "cp_mobile", "teacher", key="1f3a77c2aabb"):
        pass
    above, below, teacher = heard.runs
    group = f"trial 3-{trial.run_id[:8]}"
    assert (above.experiment, above.group, str(above.place)) == ("a/study", group, f"a_study/{group}")
    assert (below.group, str(below.place)) == (group, f"a_study/{group}/seed 7")
    assert str(teacher.place) == "teachers/cp_mobile-1f3a77c2"
    assert (above.kind, above.tags["asc.trial"], above.workspace) == ("trial", "3", workspace)
    assert f"/runs/{trial.run_id}" in above.page
    assert above.page.startswith("#/")  # there is no server


def test_each_value_is_told_once_and_parameters_have_their_types(
    logging_to: Callable[..., Tracking], heard: type[Heard]
) -> None:
    tracking = logging_to("heard")
    with tracking.run(tracking.experiment("runs"), "x", "student") as run:
        run.metrics({"complexity/macs": 3.0})
        run.params({"epochs": 3, "rate": 9e-4, "on": True, "none": None, "text": "(1, 2)", "name": "dirfms"})
        tracking.writer(run.run_id, run.experiment_id).metrics({"complexity/macs": 3.0, "loss/overall": math.pi})
    params = {"epochs": 3, "rate": 9e-4, "on": True, "none": "None", "text": "(1, 2)", "name": "dirfms"}
    assert heard.calls == [
        ("start",),
        ("scalars", 0, {"complexity/macs": 3.0}),
        ("scalars", 0, {"loss/overall": math.pi}),
        ("finish", "FINISHED", params),
    ]


def test_run_that_is_stopped_while_a_logger_begins_is_ended_with_those_that_had_begun(
    logging_to: Callable[..., Tracking], heard: type[Heard], registered: Register
) -> None:
    def stopped(*_: object) -> None:
        raise SystemExit(143)

    registered(type("Slow", (Heard,), {"name": "slow", "start": stopped}))
    tracking = logging_to("heard", "slow")
    with pytest.raises(SystemExit), tracking.run(tracking.experiment("runs"), "x", "student"):
        pass
    assert heard.calls[-1][:2] == ("finish", "KILLED")


def test_end_is_told_where_the_server_is_away(
    logging_to: Callable[..., Tracking], heard: type[Heard], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = logging_to("heard")
    with pytest.raises(ValueError, match="broke"), tracking.run(tracking.experiment("runs"), "x", "student"):
        for method in ("set_terminated", "log_batch", "get_run"):
            monkeypatch.setattr(tracking.now, method, _away)
        raise ValueError("broke")
    assert heard.calls[-1] == ("finish", "FAILED", {})


def _away(*_: object, **__: object) -> None:
    raise ConnectionError("refused")


def test_connection_takes_its_loggers_along_to_another_process(
    logging_to: Callable[..., Tracking], heard: type[Heard]
) -> None:
    tracking = pickle.loads(pickle.dumps(logging_to("heard")))
    with tracking.run(tracking.experiment("runs"), "x", "student"):
        pass
    assert heard.calls[-1][:2] == ("finish", "FINISHED")


def test_nobody_is_told_unless_asked_for(tracking: Tracking, heard: type[Heard], workspace: Path) -> None:
    with tracking.run(tracking.experiment("runs"), "x", "student"):
        pass
    assert heard.calls == []
    assert not (workspace / "tensorboard").exists()


def test_names_may_be_given_together_and_twice(heard: type[Heard]) -> None:
    assert LogTo.parse(["heard, tensorboard", "heard", ""], Path("w")) == LogTo(("heard", "tensorboard"), Path("w"))


def test_unknown_logger_is_refused_with_the_nearest() -> None:
    with pytest.raises(AscError, match="unknown logger 'tensorbord'") as caught:
        LogTo.parse(["tensorbord"], Path("w"))
    assert "tensorboard" in caught.value.line()


def test_logger_whose_library_is_missing_or_broken_is_refused(
    registered: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "breaks_when_imported.py").write_text("import nothing_like_that")
    monkeypatch.syspath_prepend(tmp_path)
    for needs, said in (("not_there", "is not installed"), ("breaks_when_imported", "cannot be imported (Module")):
        registered(type("Needing", (Heard,), {"name": needs, "needs": needs, "install": f"pip install {needs}"}))
        with pytest.raises(AscError) as caught:
            LogTo.parse([needs], Path("w"))
        line = caught.value.line()
        assert line.startswith(f"--log-to {needs}: {needs} {said}")
        assert line.endswith(f"pip install {needs}")


def test_place_is_a_path_whatever_the_names_are() -> None:
    _, place = place_of("../a:b", "..\\x\n" + 300 * "y", "1f3a77c2", None)
    assert place == PurePosixPath("_/a_b".replace("/", "_"), place.name)
    assert len(place.name) <= 120
    assert place.name.endswith("-1f3a77c2")


def test_logger_without_a_name_is_refused_and_the_programs_are_there() -> None:
    with pytest.raises(AscError, match="has no 'name'"):
        register_logger(type("Nameless", (RunLogger,), {}))
    assert list(loggers())[:2] == ["tensorboard", "wandb"]
