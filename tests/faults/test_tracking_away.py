"""The tracking server goes away in the middle of a training: kill -9, and another one later."""

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from asc_experiments.distill import TrainingContext, train_student
from asc_experiments.tracking.trials import EPOCH_SECONDS
from asc_experiments.training import make_recipe
from tests.faults.servers import MlflowServer

pytestmark = pytest.mark.timeout(3_600)
AWAY = [pytest.param(8.0, id="8 s"), pytest.param(60.0, id="60 s", marks=pytest.mark.nightly)]
EPOCHS = 20
TINY = {"base_channels": 8, "batch_size": 64}
CURVES = ("train/loss", "train/learning_rate", "validation/accuracy/overall")


def as_they_arrived(server: MlflowServer, run_id: str, name: str) -> list[tuple[int, int]]:
    """Step and time of a metric's points, in the order in which the server's database took them."""
    with sqlite3.connect(f"file:{server.database}?mode=ro", uri=True) as connection:
        query = "SELECT step, timestamp FROM metrics WHERE run_uuid = ? AND key = ? ORDER BY rowid"
        return connection.execute(query, (run_id, name)).fetchall()


@pytest.mark.parametrize("away", AWAY)
def test_training_goes_on_and_every_epoch_arrives_afterwards_in_order_once_with_its_own_time(
    bench: Callable[[], TrainingContext], server: MlflowServer, away: float
) -> None:
    opened = bench()
    trained = threading.Event()
    done: list[int] = []
    killed_ms, started_ms = [], []

    def come_back() -> None:
        time.sleep(away)
        assert trained.wait(120), "the training stood still"
        started_ms.append(1_000 * time.time())
        server.start()

    back = threading.Thread(target=come_back)

    def after_epoch(epoch: int, _: Mapping[str, float]) -> None:
        done.append(epoch)
        if epoch == 2:
            server.kill()
            killed_ms.append(1_000 * time.time())
            back.start()
        if epoch == 8:
            trained.set()

    with opened.tracking.run(opened.tracking.experiment("students"), "student", "student") as run:
        train_student(opened, make_recipe("cp_mobile", epochs=EPOCHS, **TINY), run, on_validation=after_epoch)
    back.join()
    server.wait()
    assert opened.tracking.get(run.run_id).status == "FINISHED"
    for name in CURVES:
        points = as_they_arrived(server, run.run_id, name)
        if name.startswith("validation/"):
            points = points[:-1]  # the finished network's Scorecard, under the same names
        assert [step for step, _ in points] == list(range(1, EPOCHS + 1)), name
        times = [at for _, at in points]
        assert times == sorted(times)
        meanwhile = [step for step, at in points if killed_ms[0] < at < started_ms[0]]
        assert len(meanwhile) >= 5, "epochs that ended while the server was away say so"


def test_training_that_waited_in_vain_ends_in_one_line_and_the_same_command_goes_on(
    asc: Callable[..., Any],
    server: MlflowServer,
    synth_corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ASC_TRACKING_PATIENCE", "1")
    monkeypatch.setenv("ASC_CACHE", str(tmp_path / "cache"))
    command: list[Any] = ["student", "train", "--corpus", synth_corpus, "--epochs", 5, "--validation", "0.3"]
    command += ["--set", "base_channels=8", "--set", "batch_size=64"]
    command += ["--workspace", tmp_path, "--tracking-uri", server.url]
    checkpoints = tmp_path / "cache" / "checkpoints"
    stop = threading.Event()

    def kill_after_the_first_epoch() -> None:
        while not list(checkpoints.glob("*.ckpt")) and not stop.is_set():
            time.sleep(0.002)
        server.kill()

    killer = threading.Thread(target=kill_after_the_first_epoch)
    killer.start()
    ended = asc(*command)
    stop.set()
    killer.join()
    assert ended.code == 2
    (line,) = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert "the tracking server does not answer" in line
    assert line.endswith("start it; the same command resumes")
    assert "Traceback" not in ended.err
    assert list(checkpoints.glob("*.ckpt")), "what was trained is kept"
    server.start()
    server.wait()
    again = asc(*command)
    assert again.code == 0, again.err
    assert ": resumes after epoch 5 of 5" in again.err
    assert not list(checkpoints.glob("*.ckpt"))


def test_server_that_is_away_between_two_trainings_is_waited_for(
    bench: Callable[[], TrainingContext], server: MlflowServer, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = bench()
    server.kill()
    back = threading.Timer(3.0, server.start)
    back.start()
    with opened.tracking.run(opened.tracking.experiment("students"), "student", "student") as run:
        train_student(opened, make_recipe("cp_mobile", epochs=1, **TINY), run)
    assert opened.tracking.get(run.run_id).status == "FINISHED"
    assert EPOCH_SECONDS in opened.tracking.get(run.run_id).metrics
    told = capsys.readouterr().err
    assert "the tracking server does not answer; waiting for up to 600 s" in told
    assert "the tracking server is back" in told
