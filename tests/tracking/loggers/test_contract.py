"""What every logger has of a run: all that MLflow has, under the same names, whoever logged it and however it ended."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.records import ERROR
from asc_experiments.tracking.client.run import Stopped
from asc_experiments.tracking.loggers.logger import loggers
from tests.tracking.loggers.reading import Logged, check_metrics, csv_runs, tensorboard_runs, wandb_runs


@dataclass
class Following:
    """A logger that is being tried."""

    name: str
    tracking: Tracking
    workspace: Path
    read_back: Callable[[Path], dict[str, Logged]]

    def run(self, run_id: str) -> Logged:
        """A run that has ended. (W&B has a process of its own write it, a moment after it is told.)"""
        deadline = time.monotonic() + 15
        while True:
            found = self.read_back(self.workspace).get(run_id)
            if found and (self.name != "wandb" or found.exit_code is not None):
                return found
            assert time.monotonic() < deadline
            time.sleep(0.1)


READERS = {"tensorboard": tensorboard_runs, "wandb": wandb_runs, "csv_files": csv_runs}


@pytest.fixture(params=READERS)
def following(
    request: pytest.FixtureRequest, logging_to: Callable[..., Tracking], workspace: Path
) -> Iterator[Following]:
    """Each logger of the program, and the one of the how-to page."""
    name = request.param
    if name == "wandb":
        pytest.importorskip("wandb", reason="needs wandb (pip install 'asc_experiments[wandb]')")
    before = set(loggers())
    if name not in before:
        from tests.extending.csv_files import CsvFiles

        loggers().setdefault("csv_files", CsvFiles)
    yield Following(name, logging_to(name), workspace, READERS[name])
    for added in set(loggers()) - before:
        del loggers()[added]


def test_curves_scores_and_parameters_are_those_of_mlflow(following: Following) -> None:
    tracking = following.tracking
    with tracking.run(tracking.experiment("runs"), "fine", "student", {"colour": "blue"}) as run:
        run.params({"epochs": 3, "learning_rate": 9e-4, "augment": "dirfms", "pretrained": True})
        for epoch in (1, 2, 3):
            run.curve({"train/loss": 2.0 / epoch, "validation/accuracy/overall": 0.1 * epoch}, epoch, 1_700_000_000_000)
        run.metrics({"accuracy/device/s4": 0.5}, step=3)
        run.log({"size": "8"}, {"accuracy/overall": 0.625}, {"colour": "green"}, "fine | it\nis")
    logged, record = following.run(run.run_id), tracking.get(run.run_id)
    assert logged.status == record.status == "FINISHED"
    check_metrics(logged, tracking)
    told = {name: str(value) for name, value in logged.params.items()}
    assert told.keys() == record.params.keys()
    assert (float(told["epochs"]), float(told["learning_rate"])) == (3, 9e-4)
    assert (told["augment"], told["pretrained"]) == ("dirfms", "True")


def test_what_another_process_logs_into_a_run_is_told_at_its_end(following: Following) -> None:
    tracking = following.tracking
    with tracking.run(tracking.experiment("runs"), "trial 3", "trial") as run:
        other = tracking.writer(run.run_id, run.experiment_id)
        other.log({"size": "8"}, {"accuracy/overall": 0.625}, {}, "")
    logged = following.run(run.run_id)
    assert logged.curves["accuracy/overall"] == [(0, 0.625)]
    assert str(logged.params["size"]).startswith("8")


@pytest.mark.parametrize(
    ("error", "status"),
    [(Stopped("pruned after epoch 2"), "KILLED"), (KeyboardInterrupt(), "KILLED"), (ValueError("broke"), "FAILED")],
    ids=["pruned", "interrupted", "failed"],
)
def test_run_that_does_not_finish_says_so_and_why(following: Following, error: BaseException, status: str) -> None:
    tracking = following.tracking
    with pytest.raises(type(error)), tracking.run(tracking.experiment("runs"), "x", "student") as run:
        run.curve({"train/loss": 2.0}, 1, 1_700_000_000_000)
        raise error
    logged = following.run(run.run_id)
    assert logged.status == tracking.get(run.run_id).status == status
    assert logged.tags["asc.error"] == tracking.get(run.run_id).tags[ERROR]
    assert logged.exit_code in (1, None)  # of W&B alone
    assert logged.curves["train/loss"] == [(1, 2.0)]


def test_runs_at_once_in_one_process_do_not_mix(following: Following) -> None:
    tracking = following.tracking
    experiment = tracking.experiment("runs")
    with tracking.run(experiment, "trial 0", "trial") as one, tracking.run(experiment, "trial 1", "trial") as other:
        one.metrics({"students/count": 1.0})
        other.metrics({"students/count": 2.0})
        with tracking.run(experiment, "seed 7", "seed", parent=one.run_id) as child:
            child.metrics({"accuracy/overall": 0.5})
    assert following.run(one.run_id).curves == {"students/count": [(0, 1.0)]}
    assert following.run(other.run_id).curves == {"students/count": [(0, 2.0)]}
    assert following.run(child.run_id).curves == {"accuracy/overall": [(0, 0.5)]}
    assert following.run(child.run_id).place == f"runs/trial 0-{one.run_id[:8]}/seed 7"


def test_numbers_that_are_none_stop_nothing(following: Following) -> None:
    tracking = following.tracking
    with tracking.run(tracking.experiment("runs"), "x", "student") as run:
        run.curve({"train/loss": math.nan}, 1, 1_700_000_000_000)
        run.curve({"train/loss": math.inf}, 2, 1_700_000_000_000)
        run.curve({"train/loss": 1.0}, 3, 1_700_000_000_000)
    assert following.run(run.run_id).curves["train/loss"][-1] == (3, 1.0)


VICTIM = """
import sys, time
from pathlib import Path
from asc_experiments.tracking import Tracking
if sys.argv[2] == "csv_files":
    import tests.extending.csv_files
tracking = Tracking.open(Path(sys.argv[1]), log_to=[sys.argv[2]])
with tracking.run(tracking.experiment("teachers"), "cp_mobile", "teacher", key="1f3a77c2aa") as run:
    for epoch in (1, 2):
        run.curve({"train/loss": 3.0 - epoch}, epoch, 1_700_000_000_000)
    print(run.run_id, flush=True)
    time.sleep(60)
"""


def test_training_that_resumes_after_a_kill_has_every_epoch_once(following: Following) -> None:
    command = [sys.executable, "-c", VICTIM, str(following.workspace), following.name]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])
    assert process.stdout is not None
    killed = process.stdout.readline().strip()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    tracking = following.tracking
    with tracking.run(tracking.experiment("teachers"), "cp_mobile", "teacher", key="1f3a77c2aa") as run:
        for epoch in (1, 2, 3):
            run.curve({"train/loss": 3.0 - epoch}, epoch, 1_700_000_000_000)
    assert following.run(run.run_id).curves["train/loss"] == [(1, 2.0), (2, 1.0), (3, 0.0)]
    # The attempts have one place; W&B has a run for each, of MLflow's ids, and the killed one never FINISHED.
    before = following.read_back(following.workspace).get(killed)
    assert before is None or (following.name, before.status) == ("wandb", "RUNNING")
