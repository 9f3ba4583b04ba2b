"""Locks lie with the storage, so that drivers of one storage wait for each other wherever their workspaces are."""

import fcntl
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from filelock import Timeout
from optuna.trial import TrialState

from asc_experiments.base.errors import AscError
from asc_experiments.base.ownership import this_process
from asc_experiments.distill import TrainingContext
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.runner.recovery import ask_as_owner, settle
from asc_experiments.study.storage.journal import WholeLines
from asc_experiments.study.storage.open_storage import open_storage, study_lock
from asc_experiments.study.storage.trial_status import OWNER
from asc_experiments.tracking import Tracking
from tests.containers import CONTAINER, end, needs_containers


def is_free(lock: Any) -> bool:
    """Whether a lock can be had at once; the kernel does not mind that it is this process that asks again."""
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    lock.release()
    return True


@pytest.mark.parametrize("kind", ["journal", "link to the journal", "SQLite"])
def test_driver_of_another_workspace_waits_for_the_lock_of_the_study(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "shared" / "studies"
    path.parent.mkdir()
    ours = theirs = f"sqlite:///{path}" if kind == "SQLite" else str(path)
    storage = open_storage(tmp_path / "here", ours)
    if kind == "link to the journal":
        (tmp_path / "link").symlink_to(path)
        theirs = str(tmp_path / "link")
    there = study_lock(open_storage(tmp_path / "there", theirs), tmp_path / "there" / "cache", "study-tiny")
    with study_lock(storage, tmp_path / "here" / "cache", "study-tiny"):
        assert not is_free(there)
    assert is_free(there), "the first has let go"


def test_driver_of_a_shared_journal_has_its_teachers_made_under_a_lock_that_others_see(
    open_bench: Callable[..., TrainingContext], tmp_path: Path
) -> None:
    study = {"name": "tiny", "validation": {"fraction": 0.3}, "ensemble": {"pool": [{"arch": "cp_mobile"}]}}
    file = StudyFile.parse(study, "test")
    bench = Driver(file, open_bench(file.validation), open_storage(tmp_path, str(tmp_path / "journal"))).bench
    there = open_storage(tmp_path / "there", str(tmp_path / "journal"))
    with bench.lock("teacher-x"):
        assert not is_free(study_lock(there, tmp_path / "there" / "cache", "teacher-x"))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What another process can see after each line of the journal: the owners of RUNNING trials."""
    owners: list[str] = []
    append = WholeLines.append_logs

    def watched(self: WholeLines, logs: list[dict[str, Any]]) -> None:
        append(self, logs)
        storage = open_storage(tmp_path, None)
        for name in optuna.get_all_study_names(storage):
            trials = optuna.load_study(study_name=name, storage=storage).get_trials(states=(TrialState.RUNNING,))
            owners.extend(trial.user_attrs.get(OWNER, "nobody") for trial in trials)

    monkeypatch.setattr(WholeLines, "append_logs", watched)
    return owners


@pytest.mark.parametrize("queued", [[], [{"x": 0.5}]])
def test_trial_is_never_seen_running_without_its_owner(seen: list[str], tmp_path: Path, queued: list[Any]) -> None:
    study = optuna.create_study(study_name="tiny", storage=open_storage(tmp_path, None))
    for params in queued:
        study.enqueue_trial(params, user_attrs={OWNER: "a driver that was killed before it began it"})
    trial = ask_as_owner(study)
    trial.suggest_float("x", 0, 1)
    study.tell(trial, trial.suggest_float("x", 0, 1))
    assert set(seen) == {this_process()}
    assert [each.state for each in study.trials] == [TrialState.COMPLETE]
    assert all(study.trials[0].params[name] == value for params in queued for name, value in params.items())


ASKS = """
import sys
from pathlib import Path
import optuna
from asc_experiments.study.runner.recovery import ask_as_owner
from asc_experiments.study.storage.open_storage import open_storage
ask_as_owner(optuna.load_study(study_name="tiny", storage=open_storage(Path(sys.argv[1]), None)))
print("asked", flush=True)
sys.stdin.read()
"""


@needs_containers
def test_trial_of_another_container_is_its_own_while_it_lives_and_settled_when_it_was_killed(
    tmp_path: Path, tracking: Tracking
) -> None:
    study = optuna.create_study(study_name="tiny", storage=open_storage(tmp_path, None))
    study.enqueue_trial({"x": 3})
    command = [*CONTAINER, sys.executable, "-c", ASKS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as container:
        assert container.stdout is not None
        assert container.stdout.readline() == "asked\n"
        experiment = tracking.experiment("tiny")
        assert settle(study, tracking, experiment) == (0, 0)
        end(container)
    assert settle(study, tracking, experiment) == (1, 0)
    assert [trial.state.name for trial in study.trials] == ["FAIL", "WAITING"]


def test_whoever_trains_shows_that_it_lives_where_its_cache_is(
    open_bench: Callable[..., TrainingContext], tmp_path: Path
) -> None:
    bench = replace(open_bench(), cache=tmp_path / "new")
    (lock,) = (bench.cache / "locks").glob("process-*.lock")
    with lock.open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_driver_killed_at_any_line_of_its_asking_leaves_one_trial_for_the_next(tmp_path: Path) -> None:
    for lines in range(1, 4):
        path = tmp_path / f"killed-after-{lines}"
        study = optuna.create_study(study_name="tiny", storage=open_storage(path, None))
        before = (path / "studies" / "optuna.journal").read_bytes()
        ask_as_owner(study)
        whole = (path / "studies" / "optuna.journal").read_bytes()
        added = whole[len(before) :].splitlines(keepends=True)
        (path / "studies" / "optuna.journal").write_bytes(before + b"".join(added[:lines]))
        again = optuna.load_study(study_name="tiny", storage=open_storage(path, None))
        for trial in again.get_trials(states=(TrialState.RUNNING,)):
            assert trial.user_attrs[OWNER] == this_process()
        assert len(again.trials) == 1


def test_gaussian_processes_search_in_silence(tmp_path: Path) -> None:
    """Optuna warns where greenlet is not installed, which nothing here needs."""
    code = (
        "import sys; from pathlib import Path\n"
        "sys.modules['greenlet'] = None\n"
        "from asc_experiments.study.storage.open_storage import open_storage\n"
        "import optuna\n"
        "sampler = optuna.samplers.GPSampler(seed=0, n_startup_trials=1, warn_independent_sampling=False)\n"
        "study = optuna.create_study(storage=open_storage(Path(sys.argv[1]), None), sampler=sampler)\n"
        "study.optimize(lambda trial: trial.suggest_float('x', 0, 1), n_trials=3)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_database_of_an_older_optuna_is_upgraded_and_not_started(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    optuna.create_study(study_name="x", storage=f"sqlite:///{path}")
    with sqlite3.connect(path) as database:
        database.execute("update alembic_version set version_num = 'v3.0.0.d'")
        database.execute("update version_info set library_version = '3.1.0'")
    with pytest.raises(AscError) as caught:
        open_storage(tmp_path, f"sqlite:///{path}")
    assert f"run `optuna storage upgrade --storage sqlite:///{path}`" in caught.value.remedy
    assert "start the database" not in caught.value.line()
