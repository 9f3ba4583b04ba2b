"""Attempts: nothing is lost and nothing asked for twice, wherever a driver dies; failures can be tried once more."""

import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import Trial, TrialState
from sqlalchemy.exc import OperationalError

from asc_experiments.base.outage import Outage
from asc_experiments.distill import TrainingContext
from asc_experiments.report.data.loading import read_studies
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.executors.jobs import Pruned, Reporter, SeedJob, SeedResult, TakenOver
from asc_experiments.study.executors.local import InProcess
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.runner.recovery import ask_failed_again, requeue, settle
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.study.storage.trial_status import OWNER, study_status
from asc_experiments.tracking.trials import TRIAL, finished_trials

GRID = {
    "name": "tiny",
    "sampler": "grid",
    "validation": {"fraction": 0.3},
    "ensemble": {"pool": [{"arch": "cp_mobile", "base_channels": [8, 16, 24]}]},
}
Make = Callable[..., Driver]


@pytest.fixture
def make(open_bench: Callable[..., TrainingContext], workspace: Path, answers: Any) -> Make:
    def make_(**changed: object) -> Driver:
        study = StudyFile.parse(GRID | changed, "test")
        return Driver(study, open_bench(study.validation), open_storage(workspace, None))

    return make_


class Killed(BaseException):
    """What cannot be caught, like a kill."""


def states(driver: Driver) -> list[str]:
    return [trial.state.name for trial in driver.study.get_trials()]


def test_failed_cells_of_a_grid_are_tried_once_more_when_asked(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from asc_experiments.study.runner import trial_runner as trial_module

    real = trial_module.train_seed

    def out_of_memory(bench: TrainingContext, job: SeedJob) -> SeedResult:
        if job.trial == 1:
            raise RuntimeError("out of memory")
        return real(bench, job)

    monkeypatch.setattr(trial_module, "train_seed", out_of_memory)
    status = make().run()
    assert (status.finished, status.failed) == (2, 1)
    assert make().run() == status, "not by itself"
    status = make().run(retry_failed=True)
    assert (status.asked, status.finished, status.failed, status.interrupted) == (3, 3, 0, 1)
    complete = [trial for trial in make().study.get_trials() if trial.state == TrialState.COMPLETE]
    assert sorted(trial.params["teacher_1.cp_mobile.base_channels"] for trial in complete) == [8, 16, 24]
    assert make().run(retry_failed=True) == status
    (runs,) = read_studies(make().bench.tracking, ["tiny"])
    assert (len(runs.finished), runs.failed) == (3, ()), "and the report counts it no more"


def test_killed_between_queueing_a_trial_again_and_ending_it_asks_once(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = make()
    monkeypatch.setattr("asc_experiments.study.storage.trial_status.is_gone", lambda owner: True)
    driver.study.enqueue_trial({"teacher_1.cp_mobile.base_channels": 16}, user_attrs={"asc.enqueued": 1})
    trial = driver.study.ask()

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trial, "set_user_attr", killed)
        requeue(driver.study, trial)
    requeue(driver.study, Trial(driver.study, trial._trial_id))
    assert states(driver) == ["FAIL", "WAITING"]
    waiting = driver.study.get_trials()[1]
    assert waiting.user_attrs["asc.enqueued"] == 1
    assert study_status(driver.study).interrupted == 1


def test_trial_of_a_sleeping_process_is_its_own_however_long_its_heart_is_silent(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from asc_experiments.base.ownership import this_process; import time; print(this_process(), flush=True)"
    process = subprocess.Popen([sys.executable, "-c", f"{code}; time.sleep(600)"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    owner = process.stdout.readline().strip()
    process.send_signal(signal.SIGSTOP)
    driver = make()
    asked = {here: driver.study.ask() for here in (True, False)}
    asked[True].set_user_attr(OWNER, owner)
    asked[False].set_user_attr(OWNER, f"elsewhere:{owner.partition(':')[2].partition('@')[0]}@fedcba98.4026531836")
    silent = {trial._trial_id for trial in asked.values()}
    monkeypatch.setattr("asc_experiments.study.runner.recovery.silent_trials", lambda study: silent)
    settle(driver.study, driver.bench.tracking, driver.context.experiment_id)
    assert states(driver) == ["RUNNING", "FAIL", "WAITING"], "of another host only heartbeats tell"
    process.kill()
    process.wait()
    settle(driver.study, driver.bench.tracking, driver.context.experiment_id)
    assert states(driver)[0] == "FAIL"


def test_driver_that_wakes_after_another_took_its_trial_over_does_not_finish_it(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from asc_experiments.study.runner import trial_runner as trial_module

    real, driver = trial_module.train_seed, make()

    def sleeps(bench: TrainingContext, job: SeedJob) -> SeedResult:
        if job.trial == 1:  # meanwhile, on another host
            requeue(driver.study, Trial(driver.study, driver.study.get_trials()[1]._trial_id))
        return real(bench, job)

    monkeypatch.setattr(trial_module, "train_seed", sleeps)
    status = driver.run()
    assert "trial 1: taken over by another driver while this one was silent" in capsys.readouterr().err
    assert (status.finished, status.interrupted, status.failed) == (3, 1, 0)
    finished = finished_trials(driver.bench.tracking, "tiny")
    assert [record.tags[TRIAL] for record in finished] == ["0", "2", "3"]
    complete = [trial for trial in driver.study.get_trials() if trial.state == TrialState.COMPLETE]
    assert sorted(trial.params["teacher_1.cp_mobile.base_channels"] for trial in complete) == [8, 16, 24]


def test_storage_that_is_away_stops_the_study_in_one_line_and_blames_no_trial(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asc_experiments.study.runner import trial_runner as trial_module

    real = trial_module.train_seed

    def breaks(bench: TrainingContext, job: SeedJob) -> SeedResult:
        if job.trial == 1:
            raise OperationalError("SELECT", {}, Exception("the database is shutting down"))
        return real(bench, job)

    with monkeypatch.context() as patch, pytest.raises(Outage) as caught:
        patch.setattr(trial_module, "train_seed", breaks)
        make().run()
    assert caught.value.line() == (
        "study 'tiny': its storage does not answer (OperationalError); start the database; the same command resumes"
    )
    status = make().run()
    assert (status.finished, status.interrupted, status.failed) == (3, 1, 0)


def test_failed_trial_is_queued_once_however_often_it_is_asked_for(make: Make) -> None:
    driver = make()
    driver.study.tell(driver.study.ask(), state=TrialState.FAIL)
    assert (ask_failed_again(driver.study), ask_failed_again(driver.study)) == (1, 0)
    assert states(driver) == ["FAIL", "WAITING"]


def test_trial_pruned_in_mlflow_before_a_kill_is_not_trained_again(
    make: Make, answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"constraints": {"complexity/parameters": 20_000}, "student": {"base_channels": [32, 8]}}
    driver = make(**limits)

    def killed(*_: object, **arguments: object) -> None:
        if arguments.get("state") == TrialState.PRUNED:
            raise Killed
        raise AssertionError("the first student is too large")

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(driver.study, "tell", killed)
        patch.setattr(driver, "_stop", lambda reason: None)
        driver.run()
    monkeypatch.setattr("asc_experiments.study.storage.trial_status.is_gone", lambda owner: owner is not None)
    status = make(**limits).run()
    assert (status.finished, status.pruned, status.interrupted) == (3, 3, 0)


def test_baseline_is_never_pruned(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from asc_experiments.study.runner import trial_runner as trial_module

    real = trial_module.train_seed

    def reports(bench: TrainingContext, job: SeedJob) -> SeedResult:
        if job.reporter is not None:
            job.reporter(0, {"validation/accuracy/macro": 0.0})
        return real(bench, job)

    monkeypatch.setattr(trial_module, "train_seed", reports)
    monkeypatch.setattr(optuna.trial.Trial, "should_prune", lambda trial: True)
    driver = make(sampler="random", trials=3, pruner="median", enqueue=[{"teacher_1.cp_mobile.base_channels": 8}])
    driver.run()
    assert states(driver) == ["COMPLETE", "PRUNED", "PRUNED"]


def test_every_trial_draws_what_it_was_not_given_by_itself(make: Make) -> None:
    given = {"teacher_1.cp_mobile.base_channels": 8}
    driver = make(
        sampler="random", trials=3, enqueue=[given] * 3, distillation={"temperature": {"low": 1.0, "high": 4.0}}
    )
    driver.run()
    drawn = [trial.params["distillation.temperature"] for trial in driver.study.get_trials()]
    assert len(set(drawn)) == 3


def test_trials_of_a_driver_that_dies_while_this_one_runs_are_done_by_this_one(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from asc_experiments.base.ownership import this_process; print(this_process())"
    owner = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    driver = make()
    begin = driver._begin

    def another_begins_and_dies(trial: Trial) -> None:
        if trial.number == 0:
            driver.study.ask().set_user_attr(OWNER, owner)
        begin(trial)

    monkeypatch.setattr(driver, "_begin", another_begins_and_dies)
    status = driver.run()
    assert (status.finished, status.running) == (status.asked, 0)
    assert states(driver).count("FAIL") == 1, "the other's attempt"


def taken_over(driver: Driver, number: int) -> None:
    """What another driver does with a trial whose driver was silent for long."""
    requeue(driver.study, Trial(driver.study, driver.study.get_trials()[number]._trial_id))


TAKEN_OVER = "trial 1: taken over by another driver while this one was silent"


@pytest.mark.parametrize("ends", ["finished", "pruned", "failed"])
def test_trial_that_is_taken_over_just_before_its_driver_tells_its_end_is_one_line_and_counts_once(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ends: str
) -> None:
    driver = make()
    tell = driver.study.tell

    def slept_through(trial: Trial, *values: Any, **state: Any) -> Any:
        if trial.number == 1 and driver.study.get_trials()[1].state == TrialState.RUNNING:
            with monkeypatch.context() as other:
                other.setattr(driver.study, "tell", tell)
                taken_over(driver, 1)
        return tell(trial, *values, **state)

    def fails(bench: TrainingContext, job: SeedJob) -> SeedResult:
        if job.trial == 1:
            raise RuntimeError("out of memory") if ends == "failed" else Pruned("pruned after epoch 1")
        return real(bench, job)

    from asc_experiments.study.runner import trial_runner as trial_module

    real = trial_module.train_seed
    monkeypatch.setattr(driver.study, "tell", slept_through)
    if ends != "finished":
        monkeypatch.setattr(trial_module, "train_seed", fails)
    status = driver.run()
    said = capsys.readouterr().err
    assert said.count(TAKEN_OVER) == 1
    assert "Traceback" not in said or ends == "failed"
    assert (status.finished, status.interrupted, status.failed) == (3, 1, 0)
    finished = finished_trials(driver.bench.tracking, "tiny")
    assert [record.tags[TRIAL] for record in finished] == ["0", "2", "3"], "what was told first counts"


@pytest.mark.parametrize("writes", ["suggests", "reports"])
def test_trial_that_is_taken_over_before_its_driver_writes_into_it_is_one_line(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], writes: str
) -> None:
    from asc_experiments.study.runner import trial_runner as trial_module

    driver = make(pruner="median")
    plan, real = driver.space.plan, trial_module.train_seed

    def planned(trial: Trial) -> Any:
        if trial.number == 1 and writes == "suggests":
            taken_over(driver, 1)
        return plan(trial)

    def trained(bench: TrainingContext, job: SeedJob) -> SeedResult:
        if job.trial == 1 and writes == "reports":
            taken_over(driver, 1)
        if job.reporter is not None:
            job.reporter(0, {"validation/accuracy/macro": 0.5})
        return real(bench, job)

    monkeypatch.setattr(driver.space, "plan", planned)
    monkeypatch.setattr(trial_module, "train_seed", trained)
    status = driver.run()
    said = capsys.readouterr().err
    assert said.count(TAKEN_OVER) == 1
    assert "Traceback" not in said
    assert (status.finished, status.interrupted, status.failed) == (3, 1, 0)


def test_driver_that_is_stopped_settles_all_its_trials_also_where_some_were_taken_over(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = make()
    monkeypatch.setattr("asc_experiments.study.runner.driver._AHEAD", 3)
    driver.executor = Never()
    driver.context = replace(driver.context, executor=driver.executor)

    def stopped(*_: object) -> None:
        taken_over(driver, 0)
        raise KeyboardInterrupt

    monkeypatch.setattr("asc_experiments.study.runner.driver.wait", stopped)
    with pytest.raises(KeyboardInterrupt):
        driver.run()
    assert states(driver) == ["FAIL", "FAIL", "FAIL", "WAITING", "WAITING", "WAITING"]
    said = capsys.readouterr().err
    assert said.count("trial 0: taken over by another driver while this one was silent") == 1
    assert "will be re-queued" not in said


def test_report_of_a_trial_that_was_taken_over_ends_its_student_without_blame(make: Make) -> None:
    study = make().study
    trial = study.ask()
    study.tell(trial, state=TrialState.FAIL)
    with pytest.raises(TakenOver):
        Reporter(trial, "accuracy")(0, {"accuracy": 0.5})


class Never(InProcess):
    """An executor whose work never ends."""

    workers = 4

    def submit(self, *_: object, **__: object) -> Future[Any]:  # type: ignore[override]
        return Future()
