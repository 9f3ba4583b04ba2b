"""Stopped, killed or without its server, a study loses nothing and continues."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from optuna.trial import TrialState

from asc_experiments.base.errors import AscError
from asc_experiments.distill import TrainingContext
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.open_storage import load_study, open_storage
from asc_experiments.study.storage.trial_status import study_status
from asc_experiments.tracking import Tracking
from tests.faults.counting import check_what_is_left

Open = Callable[..., TrainingContext]
Write = Callable[..., Path]


def runs(bench: TrainingContext, kind: str, study: str = "tiny") -> list[str]:
    query = f"tags.`asc.kind` = '{kind}'"
    return [record.status for record in bench.tracking.search([bench.tracking.experiment(study)], query)]


def test_study_stops_when_the_tracking_server_is_gone_and_goes_on_when_it_is_back(
    driver: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    from asc_experiments.study.executors import jobs as work_module

    monkeypatch.setenv("ASC_TRACKING_PATIENCE", "1")
    made = driver()

    def refused(*_: object, **__: object) -> None:
        raise ConnectionError("refused")

    def goes_away(*_: object) -> None:
        monkeypatch.setattr(made.bench.tracking.now, "search_experiments", refused)
        raise ConnectionError("refused")

    with monkeypatch.context() as patch, pytest.raises(AscError, match="does not answer"):
        patch.setattr(work_module, "train_student", goes_away)
        made.run()
    status = study_status(made.study)
    assert (status.failed, status.interrupted) == (0, 1)
    assert driver().run().finished == 3


def test_interrupted_trial_is_asked_again(driver: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch) -> None:
    from asc_experiments.study.executors import jobs as work_module

    def interrupt(*_: object) -> dict[str, float]:
        raise KeyboardInterrupt

    made = driver()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(work_module, "train_student", interrupt)
        made.run()
    assert study_status(made.study).interrupted == 1
    interrupted = made.study.get_trials()[0].params
    status = driver().run()
    assert (status.finished, status.interrupted, status.failed) == (3, 1, 0)
    assert Counter(runs(made.bench, "trial")) == {"KILLED": 1, "FINISHED": 3}
    assert made.study.get_trials()[1].params == interrupted


@pytest.mark.parametrize("set_back", [0, 86_400])
def test_trial_finished_in_mlflow_before_a_kill_is_not_run_again(
    driver: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch, set_back: int
) -> None:
    """Nor where the clock was set back by a day after Optuna had asked for the trial: a made-up clock."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - set_back)  # Optuna's own is another one
    made = driver({"trials": 1})

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(made.study, "tell", killed)
        made.run()
    monkeypatch.setattr(
        "asc_experiments.study.storage.trial_status.is_gone", lambda owner: True
    )  # as if that process had died
    status = driver({"trials": 1}).run()
    assert status.finished == 1
    assert runs(made.bench, "trial") == ["FINISHED"]


def test_trial_stopped_before_it_has_parameters_is_asked_again_with_those_it_was_queued_with(
    driver: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = driver({"trials": 1}, enqueue="[{ensemble_size: 1, teacher_1: cp_resnet}]")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(made.space, "plan", interrupt)
        made.run()
    made.run()
    finished = [trial.params for trial in made.study.get_trials() if trial.state == TrialState.COMPLETE]
    assert finished == [{"ensemble_size": 1, "teacher_1": "cp_resnet"}]


def run_command(synth_corpus: Path, workspace: Path, file: Path, trials: int, workers: int = 1) -> list[str]:
    command = [sys.executable, "-m", "asc_experiments", "study", "run", str(file), "--corpus", str(synth_corpus)]
    return [*command, "--workspace", str(workspace), "--trials", str(trials), "--workers", str(workers)]


def hears_interrupts() -> None:
    """What a shell runs in the background ignores Ctrl-C, and so would what it starts, these tests among it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def workers_of(driver: subprocess.Popen[bytes]) -> list[psutil.Process]:
    children = psutil.Process(driver.pid).children()
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


def kill_one_of(driver: subprocess.Popen[bytes], chance: random.Random, waits: bool) -> str:
    """Kill the driver or, as often, one of its workers; what it was.

    Args:
        driver: a study's.
        chance: decides which.
        waits: whether it is to be a worker; on a busy machine there may be none for a while.
    """
    deadline = time.monotonic() + 120
    while waits and not workers_of(driver):
        assert time.monotonic() < deadline, "it has no worker"
        time.sleep(0.05)
    workers = workers_of(driver)
    if workers and (waits or chance.random() < 0.5):
        chance.choice(workers).kill()
        return "worker"
    driver.kill()
    driver.wait()
    return "driver"


def test_twelve_kills_of_driver_and_workers_lose_nothing(
    synth_corpus: Path, workspace: Path, study_file: Write, cache: Path
) -> None:
    file = study_file(student="{base_channels: 8, epochs: 4, batch_size: 64}", seeds="2")
    chance = random.Random(7)
    endless = run_command(synth_corpus, workspace, file, 500, workers=2)
    process, killed = None, Counter[str]()
    while killed.total() < 12:
        if process is None or process.poll() is not None:
            process = subprocess.Popen(endless, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(4, 12))
        assert process.poll() is None, "the driver ended by itself"
        killed[kill_one_of(process, chance, waits=killed.total() in (3, 7))] += 1
    process.kill()
    process.wait()
    assert set(killed) == {"driver", "worker"}
    done = study_status(load_study(open_storage(workspace, None), "tiny")).finished
    last = run_command(synth_corpus, workspace, file, done + 5, workers=2)
    ended = subprocess.run(last, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    check_what_is_left(Tracking.open(workspace), open_storage(workspace, None), done + 5)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal_it_ends_truthfully_and_goes_on(
    synth_corpus: Path, workspace: Path, study_file: Write, cache: Path, sent: signal.Signals, workers: int
) -> None:
    file = study_file(student="{base_channels: 8, epochs: 200, batch_size: 64}")
    process = subprocess.Popen(
        run_command(synth_corpus, workspace, file, 2, workers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hears_interrupts,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("student"):  # the student is being trained
            process.send_signal(sent)
            break
    rest = process.stderr.read()
    assert process.wait() == (130 if sent == signal.SIGINT else 143), rest
    assert rest.splitlines()[-1] == "stopped; the same command resumes with study 'tiny'"
    assert "Traceback" not in rest
    tracking = Tracking.open(workspace)
    records = tracking.search([tracking.experiment("tiny")])
    assert {record.status for record in records} == {"KILLED"}
    file = study_file(student="{base_channels: 8, epochs: 200, batch_size: 64}")
    study = load_study(open_storage(workspace, None), "tiny")
    assert 1 <= study_status(study).interrupted <= workers + 1
    assert study.get_trials()[-1].state == TrialState.WAITING
