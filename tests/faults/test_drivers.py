"""Two drivers on one study."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from asc_experiments.study.storage.open_storage import JOURNAL, open_storage, study_lock
from asc_experiments.tracking import Tracking
from tests.faults.counting import check_what_is_left

pytestmark = pytest.mark.timeout(3_600)


def start(file: Path, corpus: Path, workspace: Path, trials: int, **variables: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "asc_experiments", "study", "run", str(file), "--corpus", str(corpus)]
    command += ["--workspace", str(workspace), "--trials", str(trials)]
    variables = os.environ | {"OMP_NUM_THREADS": "1"} | variables
    return subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def wait_until_it_has_opened_the_corpus(driver: subprocess.Popen[str]) -> None:
    while not any(found.path.endswith("waveforms.int16") for found in psutil.Process(driver.pid).memory_maps()):
        assert driver.poll() is None, driver.communicate()[1]
        time.sleep(0.02)


@pytest.mark.parametrize("workspaces", [1, 2])
def test_two_drivers_share_a_study_and_reach_its_total_exactly(
    synth_corpus: Path,
    workspace: Path,
    study_file: Callable[..., Path],
    tmp_path: Path,
    workspaces: int,
    request: pytest.FixtureRequest,
) -> None:
    """From one workspace, or from two that share a journal and a tracking server, and nothing else."""
    storage, uri = open_storage(workspace, None), None
    places: list[tuple[Path, dict[str, str]]] = [(workspace, {})] * 2
    if workspaces == 2:
        uri = request.getfixturevalue("server").url
        shared = {"ASC_STORAGE": str(workspace / "studies" / JOURNAL), "MLFLOW_TRACKING_URI": uri}
        places = [(tmp_path / name, shared | {"ASC_CACHE": str(tmp_path / name / "cache")}) for name in ("one", "two")]
    with study_lock(storage, tmp_path, "study-tiny"):  # neither begins before the other has come
        drivers = [start(study_file(), synth_corpus, place, 6, **variables) for place, variables in places]
        for driver in drivers:
            wait_until_it_has_opened_the_corpus(driver)
    said = [driver.communicate()[1] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], said
    assert all("\ntrial " in f"\n{each}" for each in said), "both had trials to do"
    check_what_is_left(Tracking.open(workspace, uri), storage, 6, epochs=2)
