"""Two drivers on one study; and one of them sleeps, as a closed laptop does, longer than anybody waits for it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from asc_experiments.study.storage import open_storage
from asc_experiments.tracking import Tracking
from tests.faults.counting import check_what_is_left


def start(file: Path, corpus: Path, workspace: Path, trials: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "asc_experiments", "study", "run", str(file), "--corpus", str(corpus)]
    command += ["--workspace", str(workspace), "--trials", str(trials)]
    variables = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def put_to_sleep(process: subprocess.Popen[str]) -> None:
    """SIGSTOP; not in the middle of a write into SQLite, which everybody else would wait for."""
    for _ in range(100):
        process.send_signal(signal.SIGSTOP)
        held = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        if not any(fields[1] == "POSIX" and int(fields[4]) == process.pid for fields in held):
            return
        process.send_signal(signal.SIGCONT)
        time.sleep(0.05)
    raise AssertionError("it writes all the time")


def test_two_drivers_share_a_study_and_reach_its_total_exactly(
    synth_corpus: Path, workspace: Path, study_file: Callable[..., Path], cache: Path
) -> None:
    drivers = [start(study_file(), synth_corpus, workspace, 5) for _ in range(2)]
    said = [driver.communicate()[1] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], said
    assert all("trial " in each for each in said), "both had trials to do"
    check_what_is_left(Tracking.open(workspace), open_storage(workspace, None), 5, epochs=2)


@pytest.mark.skipif(not psutil.LINUX, reason="needs /proc/locks")
@pytest.mark.parametrize("ends", ["goes on", "is killed"])
def test_trial_of_a_driver_that_sleeps_is_done_by_nobody_else(
    synth_corpus: Path, workspace: Path, study_file: Callable[..., Path], cache: Path, ends: str
) -> None:
    file = study_file(student="{base_channels: 8, epochs: 60, batch_size: 64}")
    sleeper = start(file, synth_corpus, workspace, 2)
    assert sleeper.stderr is not None
    for line in sleeper.stderr:
        if line.startswith("student"):  # the student is being trained
            break
    put_to_sleep(sleeper)
    other = start(file, synth_corpus, workspace, 2)
    said = other.communicate()[1]
    assert other.returncode == 0, said
    assert "under way in another process: 1" in said
    assert "settled" not in said
    if ends == "is killed":
        sleeper.kill()
        sleeper.communicate()
        last = start(file, synth_corpus, workspace, 2)
        said = last.communicate()[1]
        assert "1 killed trials settled" in said
    else:
        sleeper.send_signal(signal.SIGCONT)
        rest = sleeper.communicate()[1]
        assert sleeper.returncode == 0, rest
    check_what_is_left(Tracking.open(workspace), open_storage(workspace, None), 2, epochs=60)
