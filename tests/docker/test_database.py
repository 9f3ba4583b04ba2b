"""What hosts share through PostgreSQL: heartbeats, trials that are taken over, locks that die with who held them."""

import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import psycopg
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from asc_experiments.base.errors import AscError
from asc_experiments.base.ownership import this_process
from asc_experiments.migration.workspace import export_workspace, import_workspace
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.runner.recovery import end_lost_replicates, settle
from asc_experiments.study.storage import postgres as database_module
from asc_experiments.study.storage.open_storage import open_storage, study_lock
from asc_experiments.study.storage.postgres import DatabaseLocks, SharedStorage, open_database, silent_trials
from asc_experiments.study.storage.trial_status import DEFINITION, OWNER, study_status
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.records import DRIVER
from asc_experiments.tracking.client.records import OWNER as RUN_OWNER
from asc_experiments.tracking.trials import OBJECTIVE_VALUE, TRIAL, TRIAL_KIND

STUDY = {
    "name": "tiny",
    "validation": {"fraction": 0.3},
    "ensemble": {"pool": [{"arch": "cp_mobile", "base_channels": 8}]},
}
ELSEWHERE = "another-host:4242:17"


@pytest.fixture
def storage(new_storage_url: str, tmp_path: Path) -> SharedStorage:
    opened = open_storage(tmp_path, new_storage_url)
    assert isinstance(opened, SharedStorage)
    return opened


@pytest.fixture
def rows(new_storage_url: str, database: Any) -> Iterator[psycopg.Connection]:
    """The database itself."""
    address = new_storage_url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(address, autocommit=True) as connection:
        yield connection


def trial_of_another_host(url: str, study: optuna.Study) -> optuna.Trial:
    """A trial that another host's driver has begun; here only its entries in the database are made."""
    there = RDBStorage(url, heartbeat_interval=60)
    trial = optuna.load_study(study_name=study.study_name, storage=there).ask()
    there.set_trial_user_attr(trial._trial_id, OWNER, ELSEWHERE)
    there.record_heartbeat(trial._trial_id)
    return trial


def silence(rows: psycopg.Connection) -> None:
    rows.execute("UPDATE trial_heartbeats SET heartbeat = heartbeat - interval '2 minutes'")


def run_of(tracking: Tracking, trial: optuna.Trial, owner: str) -> str:
    """The run that an owner began for a trial."""
    tags = {"asc.kind": TRIAL_KIND, TRIAL: str(trial.number), RUN_OWNER: owner}
    return str(tracking.client.create_run(tracking.experiment("tiny"), tags=tags).info.run_id)


def running_teacher(tracking: Tracking, driver: str) -> str:
    """The run of a teacher that a driver's worker, of whatever host, has begun to train."""
    tags = {"asc.kind": "teacher", "asc.teacher": "0" * 16, RUN_OWNER: "its-worker:5:5", DRIVER: driver}
    return str(tracking.client.create_run(tracking.experiment("teachers"), tags=tags).info.run_id)


def settled(study: optuna.Study, tracking: Tracking) -> tuple[int, int]:
    return settle(study, tracking, tracking.experiment("tiny"))


def test_trial_of_a_host_that_fell_silent_is_asked_again_and_its_runs_end(
    storage: SharedStorage, new_storage_url: str, rows: psycopg.Connection, tracking: Tracking
) -> None:
    study = optuna.create_study(study_name="tiny", storage=storage)
    study.enqueue_trial({"x": 3}, user_attrs={"asc.enqueued": 0})
    trial = trial_of_another_host(new_storage_url, study)
    run_id = run_of(tracking, trial, ELSEWHERE)
    seed = {"asc.kind": "seed", "mlflow.parentRunId": run_id, RUN_OWNER: "another-host:4243:17"}
    seed_id = tracking.client.create_run(tracking.experiment("tiny"), tags=seed).info.run_id

    teacher_id, another_id = (running_teacher(tracking, driver) for driver in (ELSEWHERE, "a-third-host:4244:17"))

    assert settled(study, tracking) == (0, 0), "its heart beats"
    assert tracking.get(run_id).status == "RUNNING"
    silence(rows)
    assert settled(study, tracking) == (1, 3)
    assert [tracking.get(each).status for each in (teacher_id, another_id)] == ["KILLED", "RUNNING"]
    assert [each.state for each in study.get_trials()] == [TrialState.FAIL, TrialState.WAITING]
    assert study.get_trials()[1].user_attrs == {"asc.enqueued": 0, "asc.again_of": 0}
    assert [tracking.get(each).status for each in (run_id, seed_id)] == ["KILLED", "KILLED"]
    assert settled(study, tracking) == (0, 0)
    assert (study_status(study).interrupted, study_status(study).running) == (1, 0)


def test_teacher_of_a_driver_of_which_one_trial_alone_fell_silent_is_left_alone(
    storage: SharedStorage, new_storage_url: str, rows: psycopg.Connection, tracking: Tracking
) -> None:
    study = optuna.create_study(study_name="tiny", storage=storage)
    trial_of_another_host(new_storage_url, study)
    teacher_id = running_teacher(tracking, ELSEWHERE)
    silence(rows)
    trial_of_another_host(new_storage_url, study)
    assert settled(study, tracking) == (1, 0)
    assert tracking.get(teacher_id).status == "RUNNING"


def test_replicates_of_a_lost_host_end_when_another_has_the_lock_that_they_are_made_under(tracking: Tracking) -> None:
    experiment = tracking.experiment("tiny")
    owners = {"lost": "another-host:1:1", "here": this_process()}
    runs = {
        name: tracking.client.create_run(experiment, tags={"asc.kind": "replicate", RUN_OWNER: owner}).info.run_id
        for name, owner in owners.items()
    }
    assert end_lost_replicates(tracking, experiment) == 1
    assert {name: tracking.get(run).status for name, run in runs.items()} == {"lost": "KILLED", "here": "RUNNING"}


def test_trial_that_another_host_had_finished_in_mlflow_is_told_and_not_asked_again(
    storage: SharedStorage, new_storage_url: str, rows: psycopg.Connection, tracking: Tracking
) -> None:
    study = optuna.create_study(study_name="tiny", storage=storage)
    trial = trial_of_another_host(new_storage_url, study)
    older = tracking.client.create_run(
        tracking.experiment("tiny"), tags={"asc.kind": TRIAL_KIND, TRIAL: "0", RUN_OWNER: "another-host:1:1"}
    ).info.run_id
    for run_id, value in ((older, 0.1), (run_of(tracking, trial, ELSEWHERE), 0.7)):
        tracking.client.log_metric(run_id, OBJECTIVE_VALUE, value)
        tracking.client.set_terminated(run_id, "FINISHED")
    silence(rows)
    assert settled(study, tracking) == (1, 0)
    assert [(each.state, each.value) for each in study.get_trials()] == [(TrialState.COMPLETE, 0.7)]


def test_heart_beats_while_a_trial_is_owned_and_stops_at_its_end(
    storage: SharedStorage, rows: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "HEARTBEAT_S", 0.05)
    study = optuna.create_study(study_name="tiny", storage=storage)
    trial = study.ask()
    trial.set_user_attr(OWNER, this_process())
    silence(rows)
    wait_until(lambda: not silent_trials(study))
    study.tell(trial, 1.0)
    other = study.ask()
    other.set_user_attr(OWNER, this_process())
    for _ in range(2):  # a beat for both may have been on its way
        silence(rows)
        wait_until(lambda: not silent_trials(study))
    beating = "SELECT trial_id FROM trial_heartbeats WHERE heartbeat > now() - interval '1 minute'"
    assert rows.execute(beating).fetchall() == [(other._trial_id,)]


def test_copy_in_a_worker_owns_no_trial(storage: SharedStorage) -> None:
    study = optuna.create_study(study_name="tiny", storage=storage)
    trial = study.ask()
    trial.set_user_attr(OWNER, this_process())
    copy = pickle.loads(pickle.dumps(storage))
    assert isinstance(copy, SharedStorage)
    assert (copy._owned, copy._heart) == (set(), None)
    assert storage._owned == {trial._trial_id}
    assert copy.get_trial(trial._trial_id).user_attrs == {OWNER: this_process()}


def test_new_database_is_opened_by_many_at_once(new_storage_url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(open_database, [new_storage_url] * 8))
    assert {storage.get_current_version() for storage in opened} == {opened[0].get_head_version()}


def test_lock_holds_across_hosts(storage: SharedStorage, new_storage_url: str, tmp_path: Path) -> None:
    there = open_storage(tmp_path, new_storage_url)
    order = []

    def other() -> None:
        with study_lock(there, tmp_path / "there", "study-tiny"):
            order.append("other")

    with ThreadPoolExecutor(1) as pool:
        for _ in range(2):  # a lock serves more than once
            with study_lock(storage, tmp_path / "here", "study-tiny"):
                waiting = pool.submit(other)
                time.sleep(0.3)
                order.append("this")
            waiting.result()
    assert order == ["this", "other"] * 2
    with study_lock(storage, tmp_path, "study-tiny"), study_lock(there, tmp_path, "study-another"):
        pass


def test_driver_has_its_teachers_made_under_a_lock_that_holds_across_hosts(
    storage: SharedStorage, new_storage_url: str, open_bench: Any, tmp_path: Path, rows: psycopg.Connection
) -> None:
    file = StudyFile.parse(STUDY, "test")
    bench = open_bench(file.validation)
    here = Driver(file, bench, storage).bench
    there = replace(bench, cache=tmp_path / "another host's", locks=DatabaseLocks(new_storage_url))
    assert here.locks == pickle.loads(pickle.dumps(here)).locks == there.locks
    with ThreadPoolExecutor(1) as pool:
        with here.lock("teacher-x"):
            waiting = pool.submit(lambda: there.lock("teacher-x").__enter__())
            wait_until(lambda: rows.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (1,))
            assert not waiting.done()
        waiting.result(60)


def test_import_waits_until_a_driver_has_let_go_of_the_study(
    storage: SharedStorage, new_storage_url: str, tracking: Tracking, rows: psycopg.Connection, tmp_path: Path
) -> None:
    home = open_storage(tmp_path / "home", None)
    for name in ("b", "a"):
        study = optuna.create_study(study_name=name, storage=home)
        study.set_user_attr(DEFINITION, "d")
        study.tell(study.ask(), 0.5)
        tracking.experiment(name)
    archive = tmp_path / "both.tar"
    export_workspace(lambda: tracking, home, tmp_path / "home's", archive, ["b", "a"])
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with ThreadPoolExecutor(1) as pool:
        with study_lock(open_storage(tmp_path, new_storage_url), tmp_path / "a driver's", "study-b"):
            done = pool.submit(import_workspace, lambda: tracking, lambda: storage, tmp_path / "ours", archive)
            wait_until(lambda: done.done() or rows.execute(waiting).fetchone() == (1,))
            assert optuna.get_all_study_names(storage) == []
        assert done.result(60).trials == 2
    assert sorted(optuna.get_all_study_names(storage)) == ["a", "b"]


def test_lock_of_a_killed_process_is_free(storage: SharedStorage, new_storage_url: str, tmp_path: Path) -> None:
    holder = (
        "import sys, time; from asc_experiments.study.storage.postgres import DatabaseLock\n"
        "with DatabaseLock(sys.argv[1], 'study-tiny'): print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", holder, new_storage_url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.kill()
    with study_lock(storage, tmp_path, "study-tiny"):
        pass
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("stops", [True, False], ids=["stopped", "busy"])
def test_lock_is_taken_from_a_process_that_is_silent_and_from_no_other(
    storage: SharedStorage, new_storage_url: str, rows: psycopg.Connection, stops: bool
) -> None:
    holder = (
        "import sys, time; from asc_experiments.study.storage.postgres import DatabaseLock\n"
        "with DatabaseLock(sys.argv[1], 'student-x', 3.0): print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", holder, new_storage_url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    if stops:
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: rows.execute(held).fetchone() == (0,))
    else:
        time.sleep(5)
        assert rows.execute(held).fetchone() == (1,)
    process.kill()
    process.wait()
    process.stdout.close()


def test_storage_works_again_after_the_database_was_restarted(database: Any, storage: SharedStorage) -> None:
    study = optuna.create_study(study_name="tiny", storage=storage)
    trial = study.ask()
    database.stop("database")
    database.run_database()
    study.tell(trial, 0.5)
    assert study_status(study).finished == 1


def test_wrong_password_is_one_line_without_it(
    new_storage_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "not-the-password")
    with pytest.raises(AscError, match=r"refuses this user or password; .*PGPASSWORD") as refused:
        open_storage(tmp_path, new_storage_url)
    assert "not-the-password" not in refused.value.line()


def wait_until(holds: Any) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
