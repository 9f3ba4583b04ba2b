"""Studies reach their total whatever happens, and tell the truth about it."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from asc_experiments.base.errors import AscError
from asc_experiments.distill import TeacherBank, Workbench
from asc_experiments.study.driver import Driver
from asc_experiments.study.file import read_study
from asc_experiments.study.status import StudyStatus, study_status
from asc_experiments.study.storage import load_study, open_storage
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.run import ERROR
from asc_experiments.tracking.trials import OBJECTIVE_VALUE, TRIAL, finished_trials

Open = Callable[..., Workbench]
Write = Callable[..., Path]


@pytest.fixture
def driver(open_bench: Open, study_file: Write, workspace: Path) -> Callable[..., Driver]:
    def make(overrides: dict[str, object] | None = None, **replaced: str) -> Driver:
        study = read_study(study_file(**replaced), overrides)
        return Driver(study, open_bench(study.validation), open_storage(workspace, None))

    return make


def runs(bench: Workbench, kind: str, study: str = "tiny") -> list[str]:
    query = f"tags.`asc.kind` = '{kind}'"
    return [record.status for record in bench.tracking.search([bench.tracking.experiment(study)], query)]


def test_study_reaches_its_total_and_trains_each_teacher_once(driver: Callable[..., Driver]) -> None:
    first = driver()
    status = first.run()
    assert (status.asked, status.finished, status.failed, status.running) == (3, 3, 0, 0)
    bench = first.bench
    trials = finished_trials(bench.tracking, "tiny")
    assert [record.tags[TRIAL] for record in trials] == ["0", "1", "2"]
    distinct = {key for record in trials for key in record.tags["asc.teachers"].split(",")}
    assert Counter(runs(bench, "teacher", "teachers")) == {"FINISHED": len(distinct)}
    for record in trials:
        assert record.metrics[OBJECTIVE_VALUE] == record.metrics["validation/accuracy/macro"]
        assert {"accuracy/device/s4", "ensemble/accuracy/overall", "complexity/macs"} <= record.metrics.keys()
    teacher = TeacherBank(bench.tracking).all()[0]
    shared = {name for name in teacher.metrics if name.startswith(("accuracy/", "loss/", "complexity/"))}
    assert shared <= trials[0].metrics.keys()
    assert driver().run() == status, "nothing is left to do the second time"


def test_total_can_be_raised_later(driver: Callable[..., Driver]) -> None:
    assert driver({"trials": 1}).run().finished == 1
    assert driver({"trials": 2}).run().finished == 2


def test_seeds_are_children_of_their_trial_and_averaged(driver: Callable[..., Driver]) -> None:
    made = driver({"trials": 1}, seeds="2")
    made.run()
    tracking = made.bench.tracking
    trial = finished_trials(tracking, "tiny")[0]
    children = tracking.search([trial.experiment_id], f"tags.`mlflow.parentRunId` = '{trial.run_id}'")
    assert [child.name for child in children] == ["seed 0", "seed 1"]
    mean = sum(child.metrics["accuracy/overall"] for child in children) / 2
    assert trial.metrics["accuracy/overall"] == pytest.approx(mean)
    assert "accuracy/overall_std" in trial.metrics


def test_enqueued_trials_come_first_and_once(driver: Callable[..., Driver]) -> None:
    enqueue = "[{ensemble_size: 1, teacher_1: cp_resnet}]"
    made = driver({"trials": 1}, enqueue=enqueue)
    made.run()
    driver({"trials": 2}, enqueue=enqueue).run()
    params = [trial.params for trial in made.study.get_trials()]
    assert params[0] == {"ensemble_size": 1, "teacher_1": "cp_resnet"}
    assert len(params) == 2


def test_failing_trial_is_failed_with_its_error_and_the_study_goes_on(
    driver: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    from asc_experiments.study import trial as trial_module

    real, calls = trial_module.train_student, []

    def fails_once(*arguments: object) -> dict[str, float]:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("out of memory")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(trial_module, "train_student", fails_once)
    made = driver()
    status = made.run()
    assert (status.finished, status.failed) == (2, 1)
    records = made.bench.tracking.search([made.context.experiment_id], "attributes.status = 'FAILED'")
    assert {record.tags["asc.kind"] for record in records} == {"trial", "seed"}
    assert all("out of memory" in record.tags[ERROR] for record in records)


def test_study_stops_when_the_tracking_server_is_gone_and_goes_on_when_it_is_back(
    driver: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    from asc_experiments.study import trial as trial_module

    made = driver()

    def refused(*_: object, **__: object) -> None:
        raise ConnectionError("refused")

    def goes_away(*_: object) -> None:
        monkeypatch.setattr(made.bench.tracking.client, "search_experiments", refused)
        raise ConnectionError("refused")

    with monkeypatch.context() as patch, pytest.raises(AscError, match="does not answer"):
        patch.setattr(trial_module, "train_student", goes_away)
        made.run()
    status = study_status(made.study)
    assert (status.failed, status.interrupted) == (0, 1)
    assert driver().run().finished == 3


def test_pruned_trial_is_killed_in_mlflow_and_counted(
    driver: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optuna.trial.Trial, "should_prune", lambda trial: trial.number == 1)
    made = driver()
    status = made.run()
    assert (status.finished, status.pruned, status.failed) == (2, 1, 0)
    assert Counter(runs(made.bench, "trial")) == {"FINISHED": 2, "KILLED": 1}
    assert "RUNNING" not in runs(made.bench, "seed")


def test_interrupted_trial_is_asked_again(driver: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch) -> None:
    from asc_experiments.study import trial as trial_module

    def interrupt(*_: object) -> dict[str, float]:
        raise KeyboardInterrupt

    made = driver()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(trial_module, "train_student", interrupt)
        made.run()
    assert study_status(made.study).interrupted == 1
    interrupted = made.study.get_trials()[0].params
    status = driver().run()
    assert (status.finished, status.interrupted, status.failed) == (3, 1, 0)
    assert Counter(runs(made.bench, "trial")) == {"KILLED": 1, "FINISHED": 3}
    assert made.study.get_trials()[1].params == interrupted


def test_trial_finished_in_mlflow_before_a_kill_is_not_run_again(
    driver: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = driver({"trials": 1})

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(made.study, "tell", killed)
        made.run()
    monkeypatch.setattr("asc_experiments.study.status.is_gone", lambda owner: True)  # as if that process had died
    status = driver({"trials": 1}).run()
    assert status.finished == 1
    assert runs(made.bench, "trial") == ["FINISHED"]


def test_unknown_metric_is_refused_before_anything_is_written(driver: Callable[..., Driver], workspace: Path) -> None:
    with pytest.raises(AscError, match=r"unknown metric 'accuracy/device/s9' on the validation split"):
        driver(objective="{metric: accuracy/device/s9}")
    assert not Tracking.open(workspace).has_experiment("tiny")
    with pytest.raises(AscError, match="does not exist"):
        load_study(open_storage(workspace, None), "tiny")


def test_unseen_devices_can_be_an_objective_when_some_are_held_out(driver: Callable[..., Driver]) -> None:
    objective = "{metric: accuracy/group/unseen}"
    with pytest.raises(AscError, match="unknown metric"):
        driver(objective=objective)
    made = driver({"trials": 1}, objective=objective, validation="{fraction: 0.3, hold_out_devices: [s3]}")
    assert made.run().finished == 1
    assert "s3" not in made.bench.corpus.device_of[made.bench.rows[0]]


def test_resumed_study_draws_new_points(driver: Callable[..., Driver]) -> None:
    searched = {"student": "{base_channels: 8, epochs: 1, batch_size: 64, learning_rate: {low: 1e-4, high: 1e-2}}"}
    for total in (1, 2, 3):
        made = driver({"trials": total}, **searched)
        made.run()
    rates = [trial.params["student.learning_rate"] for trial in made.study.get_trials()]
    assert len(set(rates)) == 3


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


def test_changed_study_is_refused(driver: Callable[..., Driver]) -> None:
    driver({"trials": 1}).run()
    with pytest.raises(AscError, match="was begun with other settings"):
        driver({"student.epochs": 1})


def run_command(synth_corpus: Path, workspace: Path, file: Path, trials: int) -> list[str]:
    command = [sys.executable, "-m", "asc_experiments", "study", "run", str(file), "--corpus", str(synth_corpus)]
    return [*command, "--workspace", str(workspace), "--trials", str(trials)]


def hears_interrupts() -> None:
    """What a shell runs in the background ignores Ctrl-C, and so would what it starts, these tests among it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def settled(workspace: Path, asked: int) -> tuple[StudyStatus, Tracking]:
    """The status of the study after checking what must hold once it has reached its total."""
    tracking = Tracking.open(workspace)
    study = load_study(open_storage(workspace, None), "tiny")
    status = study_status(study)
    assert (status.finished, status.pruned, status.failed, status.running) == (asked, 0, 0, 0)
    assert not [trial for trial in study.get_trials() if trial.state in (TrialState.RUNNING, TrialState.WAITING)]
    experiments = [tracking.experiment("tiny"), tracking.experiment("teachers")]
    assert not tracking.search(experiments, "attributes.status = 'RUNNING'")
    numbers = Counter(record.tags[TRIAL] for record in finished_trials(tracking, "tiny"))
    complete = {str(t.number) for t in study.get_trials() if t.state == TrialState.COMPLETE}
    assert set(numbers) == complete
    assert set(numbers.values()) == {1}, "no trial finished twice"
    keys = Counter(
        record.tags["asc.teacher"] for record in tracking.search(experiments[1:], "attributes.status = 'FINISHED'")
    )
    assert set(keys.values()) == {1}, "no teacher trained twice"
    return status, tracking


def test_killed_at_random_moments_it_still_reaches_its_total(
    synth_corpus: Path, workspace: Path, study_file: Write, cache: Path
) -> None:
    file = study_file()
    chance = random.Random(7)
    for _ in range(4):
        process = subprocess.Popen(
            run_command(synth_corpus, workspace, file, 5), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(5, 11))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    done = subprocess.run(run_command(synth_corpus, workspace, file, 5), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    settled(workspace, 5)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal_it_ends_truthfully_and_goes_on(
    synth_corpus: Path, workspace: Path, study_file: Write, cache: Path, sent: signal.Signals
) -> None:
    file = study_file(student="{base_channels: 8, epochs: 60, batch_size: 64}")
    process = subprocess.Popen(
        run_command(synth_corpus, workspace, file, 2),
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
    assert "Traceback" not in rest
    tracking = Tracking.open(workspace)
    records = tracking.search([tracking.experiment("tiny")])
    assert {record.status for record in records} == {"KILLED"}
    file = study_file(student="{base_channels: 8, epochs: 60, batch_size: 64}")
    study = load_study(open_storage(workspace, None), "tiny")
    assert study_status(study).interrupted == 1
    assert study.get_trials()[-1].state == TrialState.WAITING
