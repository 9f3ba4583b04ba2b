"""``--log-to``: what trains tells other loggers too, in whichever process it does."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.tracking import Tracking
from tests.tracking.loggers.reading import check_metrics, tensorboard_runs

TRAIN = ("--epochs", 2, "--set", "base_channels=8", "--set", "batch_size=64")


@pytest.mark.parametrize(
    "command", [("teacher", "train", "--arch", "cp_mobile"), ("student", "train")], ids=["teacher", "student"]
)
@pytest.mark.parametrize("by_environment", [False, True], ids=["option", "environment"])
def test_logger_that_is_not_installed_is_one_line_before_anything_is_written(
    asc: Callable,
    synth_corpus: Path,
    empty_workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    by_environment: bool,
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    if by_environment:
        monkeypatch.setenv("ASC_LOGGERS", "tensorboard")
    option = () if by_environment else ("--log-to", "tensorboard")
    told = asc(*command, "--corpus", synth_corpus, "--workspace", empty_workspace, *TRAIN, *option)
    assert told.code == 2
    install = "pip install 'asc_experiments[tensorboard]'"
    assert told.err == f"error: --log-to tensorboard: tensorboardX is not installed; {install}\n"
    assert not (empty_workspace / "mlruns").exists()


def test_study_with_an_unknown_logger_is_refused_before_anything_is_written(
    asc: Callable, synth_corpus: Path, study_file: Callable, empty_workspace: Path
) -> None:
    given = ("--corpus", synth_corpus, "--workspace", empty_workspace, "--log-to", "wandbe")
    told = asc("study", "run", study_file(), *given)
    assert told.code == 2
    assert told.err.startswith("error: --log-to wandbe: unknown logger 'wandbe'; did you mean 'wandb'?")
    assert told.err.count("\n") == 1
    assert not (empty_workspace / "mlruns").exists()
    assert not (empty_workspace / "studies").exists()


def test_student_has_in_tensorboard_what_it_has_in_mlflow(
    asc: Callable, synth_corpus: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASC_LOGGERS", "tensorboard")
    given = ("--corpus", synth_corpus, "--workspace", workspace, "--validation", 0.3, "--augment", "none")
    done = asc("student", "train", *given, *TRAIN)
    assert done.code == 0, done.err
    (logged,) = tensorboard_runs(workspace).values()
    tracking = Tracking.open(workspace)
    check_metrics(logged, tracking)
    record = tracking.get(logged.run_id)
    assert [step for step, _ in logged.curves["train/loss"]] == [1, 2]
    assert logged.place == f"students/{record.name}-{record.tags['asc.identity'][:8]}"
    assert (logged.status, logged.params.keys()) == ("FINISHED", record.params.keys())
    assert logged.params["learning_rate"] == float(record.params["learning_rate"])


def test_study_of_two_workers_has_in_tensorboard_what_it_has_in_mlflow(
    asc: Callable, synth_corpus: Path, study_file: Callable, workspace: Path
) -> None:
    given = ("--corpus", synth_corpus, "--workspace", workspace, "--workers", 2, "--log-to", "tensorboard")
    done = asc("study", "run", study_file(trials="2"), *given)
    assert done.code == 0, done.err
    tracking, logged = Tracking.open(workspace), tensorboard_runs(workspace)
    runs = tracking.search(list(tracking.experiments()))
    assert logged.keys() == {run.run_id for run in runs}
    kinds = [run.tags["asc.kind"] for run in runs]
    assert (kinds.count("trial"), kinds.count("seed"), "teacher" in kinds) == (2, 2, True)
    for run in runs:
        check_metrics(logged[run.run_id], tracking)
        assert logged[run.run_id].params.keys() == run.params.keys()
        if run.tags["asc.kind"] == "seed":
            assert logged[run.run_id].place.startswith(f"{logged[run.tags['mlflow.parentRunId']].place}/seed ")
    assert "--log-to" not in done.out  # what follows trains nothing
