"""kill -9 of whatever a study needs, at random moments: its driver, a worker, MLflow's server, PostgreSQL."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from optuna.trial import TrialState

from asc_experiments.study.storage.open_storage import load_study, open_storage
from asc_experiments.study.storage.trial_status import study_status
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.records import ERROR
from tests.faults.counting import check_what_is_left
from tests.faults.servers import MlflowServer, Postgres

ROUNDS = [pytest.param(6, id="6 rounds"), pytest.param(30, id="30 rounds", marks=pytest.mark.nightly)]
EPOCHS = 3
STUDENT = f"{{base_channels: 8, epochs: {EPOCHS}, batch_size: 64}}"


@dataclass
class Stack:
    """A study's driver with two workers, and the servers that it needs; all may be killed."""

    postgres: Postgres
    server: MlflowServer
    command: list[str]
    folder: Path
    driver: subprocess.Popen[bytes] | None = None
    ended: list[tuple[int, str]] = field(default_factory=list)

    def keep_servers_running(self) -> None:
        """Start the servers that are not running."""
        self.postgres.start()
        if not self.server.is_running:
            self.server.start()
            self.server.wait()

    def keep_running(self) -> None:
        """Start what is not running; how a driver ended by itself is kept."""
        self.keep_servers_running()
        if self.driver is not None and self.driver.poll() is not None:
            self.ended.append((self.driver.returncode, (self.folder / "said").read_text()))
            self.driver = None
        if self.driver is None:
            with (self.folder / "said").open("wb") as said:
                self.driver = subprocess.Popen([*self.command, "--trials", "500"], stdout=said, stderr=said)

    def wait_for_work(self) -> None:
        """Wait until the driver has begun a trial, or has ended."""
        while self.driver is not None and self.driver.poll() is None:
            if "\ntrial " in f"\n{(self.folder / 'said').read_text()}":
                return
            time.sleep(0.05)

    def kill(self, victim: str, chance: random.Random) -> bool:
        """Kill one of them; whether it was there."""
        assert self.driver is not None
        if victim == "driver":
            self.driver.kill()
            self.driver.wait()
            self.driver = None
        elif victim == "worker":
            workers = [
                child
                for child in psutil.Process(self.driver.pid).children()
                if "spawn_main" in " ".join(child.cmdline())
            ]
            if not workers:
                return False
            chance.choice(workers).kill()
        elif victim == "server":
            self.server.kill()
        else:
            self.postgres.kill()
        return True


@pytest.fixture
def stack(
    tmp_path: Path, synth_corpus: Path, study_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stack]:
    if not Postgres.is_here():
        pytest.skip("needs PostgreSQL's programs (Debian: apt-get install postgresql)")
    monkeypatch.setenv("ASC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ASC_TRACKING_PATIENCE", "120")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    postgres = Postgres()
    postgres.start()
    for name in ("optuna", "mlflow"):
        postgres.create(name)
    server = MlflowServer(tmp_path, postgres.url("mlflow"))
    command = [sys.executable, "-m", "asc_experiments", "study", "run", str(study_file(student=STUDENT))]
    command += ["--corpus", str(synth_corpus), "--workspace", str(tmp_path), "--workers", "2"]
    command += ["--tracking-uri", server.url, "--storage", postgres.url("optuna")]
    made = Stack(postgres, server, command, tmp_path)
    made.keep_running()
    yield made
    if made.driver is not None:
        made.driver.kill()
        made.driver.wait()
    server.kill()
    postgres.stop()


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("rounds", ROUNDS)
def test_kills_of_driver_workers_and_servers_lose_nothing_and_double_nothing(stack: Stack, rounds: int) -> None:
    chance = random.Random(int(os.environ.get("ASC_FAULTS_SEED", "1")))
    victims = ["driver", "worker", "server", "database"]
    order = [victims[each % 4] for each in range(rounds)]  # each as often; when it comes is chance
    chance.shuffle(order)
    killed = Counter[str]()
    storage_url, tracking_url = stack.postgres.url("optuna"), stack.server.url
    while order:
        stack.keep_running()
        if chance.random() < 0.75:  # else it may be killed while it starts
            stack.wait_for_work()
        time.sleep(chance.uniform(0, 5))
        if stack.kill(order[0], chance):
            killed[order.pop(0)] += 1
    assert set(killed) == set(victims)
    if stack.driver is not None:
        stack.kill("driver", chance)
    stack.keep_servers_running()
    storage = open_storage(stack.folder, storage_url)
    study = load_study(storage, "tiny")
    active = [trial for trial in study.get_trials() if trial.state in (TrialState.RUNNING, TrialState.WAITING)]
    asked = study_status(study).finished + len(active) + 1  # a lower total would leave some of them waiting for more
    last = subprocess.run([*stack.command, "--trials", str(asked)], capture_output=True, text=True, check=False)
    tracking = Tracking.open(stack.folder, tracking_url)
    experiments = [tracking.experiment(name) for name in ("tiny", "teachers")]
    blamed = [run.tags.get(ERROR) for run in tracking.search(experiments, "attributes.status = 'FAILED'")]
    assert blamed == [], "no trial and no teacher fails because a server was killed"
    assert last.returncode == 0, last.stderr
    check_what_is_left(tracking, storage, asked, EPOCHS)
    for code, said in stack.ended:  # when its storage is away, a driver stops, and says so
        assert code == 2, said
        assert said.count("error: ") == 1, said
        assert "Traceback" not in said, said
