"""Two drivers on one study."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from asc_experiments.base.locks import lock_path
from asc_experiments.study.storage import open_storage
from asc_experiments.tracking import Tracking
from tests.faults.counting import check_what_is_left

pytestmark = pytest.mark.timeout(3_600)


def start(file: Path, corpus: Path, workspace: Path, trials: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "asc_experiments", "study", "run", str(file), "--corpus", str(corpus)]
    command += ["--workspace", str(workspace), "--trials", str(trials)]
    variables = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def wait_until_it_has_opened_the_corpus(driver: subprocess.Popen[str]) -> None:
    while not any(found.path.endswith("waveforms.int16") for found in psutil.Process(driver.pid).memory_maps()):
        assert driver.poll() is None, driver.communicate()[1]
        time.sleep(0.02)


def test_two_drivers_share_a_study_and_reach_its_total_exactly(
    synth_corpus: Path, workspace: Path, study_file: Callable[..., Path], cache: Path
) -> None:
    with FileLock(lock_path(cache, "study-tiny")):  # neither begins before the other has come
        drivers = [start(study_file(), synth_corpus, workspace, 6) for _ in range(2)]
        for driver in drivers:
            wait_until_it_has_opened_the_corpus(driver)
    said = [driver.communicate()[1] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], said
    assert all("\ntrial " in f"\n{each}" for each in said), "both had trials to do"
    check_what_is_left(Tracking.open(workspace), open_storage(workspace, None), 6, epochs=2)
