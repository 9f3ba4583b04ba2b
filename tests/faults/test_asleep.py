"""A closed laptop: a driver stops for longer than its trials' hearts may be silent, and wakes up, or never does."""

import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy

from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.study.storage.postgres import GRACE_S
from asc_experiments.tracking import Tracking
from tests.faults.counting import check_what_is_left
from tests.faults.servers import Postgres
from tests.faults.sleeping import sleep_in_training
from tests.hosts import other_host

pytestmark = [pytest.mark.skipif(not psutil.LINUX, reason="needs /proc/locks"), pytest.mark.timeout(3_600)]
EPOCHS = 25
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    if not Postgres.is_here():
        pytest.skip("needs PostgreSQL's programs (Debian: apt-get install postgresql)")
    made = Postgres()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def database(postgres: Postgres, request: pytest.FixtureRequest) -> str:
    """The URL of a database of the test's own."""
    name = f"optuna_{zlib.crc32(request.node.name.encode())}"
    postgres.create(name)
    return postgres.url(name)


@pytest.fixture
def start(
    synth_corpus: Path, workspace: Path, study_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Start]:
    """Start a driver of a study of two trials, maybe on a host of another name with a cache of its own."""
    monkeypatch.setenv("ASC_CACHE", str(workspace / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    file = study_file(student=f"{{base_channels: 8, epochs: {EPOCHS}, batch_size: 64}}")
    started = []

    def start_(storage: str | None, host: str | None = None) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "asc_experiments", "study", "run", str(file), "--corpus", str(synth_corpus)]
        command += ["--workspace", str(workspace), "--trials", "2", "--set", "ensemble.size=1"]
        command += ["--storage", storage] if storage else []
        if host is not None:
            command = [*other_host(host, workspace), *command]
        environment = os.environ | ({"ASC_CACHE": str(workspace / host)} if host else {})
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
        )
        started.append(process)
        return process

    yield start_
    for process in started:
        process.kill()
        process.wait()


def ended(driver: "subprocess.Popen[str]") -> str:
    """Wait for a driver to reach the total; what it said."""
    said = driver.communicate()[1]
    assert driver.returncode == 0, said
    return said


def let_time_pass(database: str, really: bool) -> None:
    """For longer than a heart may be silent; or have its last beats be as long ago, and its locks taken from it."""
    if really:
        time.sleep(GRACE_S + 10)
        return
    with sqlalchemy.create_engine(database).begin() as connection:
        older = "UPDATE trial_heartbeats SET heartbeat = heartbeat - interval '2 minutes'"
        assert connection.execute(sqlalchemy.text(older)).rowcount == 1
        # What the server does by itself to a session that is idle for too long.
        holders = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
        connection.execute(sqlalchemy.text(f"SELECT pg_terminate_backend(pid) FROM ({holders}) AS holder"))


@pytest.mark.parametrize(
    "wakes", [pytest.param(False, id="never wakes"), pytest.param(True, id="wakes", marks=pytest.mark.nightly)]
)
def test_without_heartbeats_its_trial_is_left_alone_while_its_process_lives(
    start: Start, workspace: Path, wakes: bool
) -> None:
    sleeper = start(None)
    sleep_in_training(sleeper, workspace / "cache")
    said = ended(start(None))
    assert "active in another process: 1" in said
    assert "settled" not in said
    if wakes:
        sleeper.send_signal(signal.SIGCONT)
        ended(sleeper)
    else:
        sleeper.kill()
        sleeper.communicate()
        assert "1 killed trials settled" in ended(start(None))
    check_what_is_left(Tracking.open(workspace), open_storage(workspace, None), 2, EPOCHS)


SILENCE = [pytest.param(False, id="made older"), pytest.param(True, id="waited for", marks=pytest.mark.nightly)]


@pytest.mark.parametrize("waits", SILENCE)
def test_with_a_silent_heart_its_trial_is_left_alone_on_the_same_host(
    start: Start, database: str, workspace: Path, waits: bool
) -> None:
    sleeper = start(database)
    sleep_in_training(sleeper, workspace / "cache")
    let_time_pass(database, waits)
    said = ended(start(database))
    assert "active in another process: 1" in said
    assert "settled" not in said
    sleeper.send_signal(signal.SIGCONT)
    ended(sleeper)
    check_what_is_left(Tracking.open(workspace), open_storage(workspace, database), 2, EPOCHS)


@pytest.mark.parametrize("waits", SILENCE)
def test_with_a_silent_heart_its_trial_is_taken_over_by_another_host_and_it_notices_when_it_wakes(
    start: Start, database: str, workspace: Path, waits: bool
) -> None:
    if not other_host("laptop", workspace):
        pytest.skip("needs root, for a host of its own")
    sleeper = start(database, "laptop")
    sleep_in_training(sleeper, workspace / "laptop")
    let_time_pass(database, waits)
    assert "1 killed trials settled" in ended(start(database))
    sleeper.send_signal(signal.SIGCONT)
    assert "taken over by another driver while this one was silent" in ended(sleeper)
    check_what_is_left(Tracking.open(workspace), open_storage(workspace, database), 2, EPOCHS)
