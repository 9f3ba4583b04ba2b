"""Putting a driver to sleep, as a closed laptop does, in the middle of a student's training."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil

_HELD_IN_TRAINING = ("process-", "training-", "student-")


def sleep_in_training(driver: subprocess.Popen[str], cache: Path) -> None:
    """SIGSTOP for a driver once the student of its first trial has a checkpoint.

    Args:
        driver: of a study with one teacher in every trial; its standard error is a pipe.
        cache: the driver's own.
    """
    assert driver.stderr is not None
    said = []
    for line in driver.stderr:
        said.append(line)
        if line.startswith("teacher ") and ": trained, " in line:
            break
    while not list((cache / "checkpoints").glob("*.ckpt")):
        assert driver.poll() is None, "".join([*said, *driver.stderr])
        time.sleep(0.002)
    _put_to_sleep(driver)
    assert list((cache / "checkpoints").glob("*.ckpt")), "it has finished its student; give it more epochs"


def _put_to_sleep(driver: subprocess.Popen[str]) -> None:
    """SIGSTOP; not in the middle of a write into SQLite or a journal, which everybody else would wait for."""
    for _ in range(100):
        driver.send_signal(signal.SIGSTOP)
        became = os.waitid(os.P_PID, driver.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert became is not None
        assert became.si_code == os.CLD_STOPPED, "it has ended"
        held = _locked_by(driver.pid)
        if all(name.startswith(_HELD_IN_TRAINING) for name in held):
            return
        driver.send_signal(signal.SIGCONT)
        time.sleep(0.02)
    raise AssertionError(f"it holds locks all the time, last {held}")


def _locked_by(pid: int) -> list[str]:
    """The names of the files that a process holds locks on."""
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    held = {int(fields[5].rpartition(":")[2]) for fields in locks if fields[4] == str(pid)}
    return [Path(file.path).name for file in psutil.Process(pid).open_files() if os.stat(file.path).st_ino in held]
