"""The wall clock is set forward and back: owners stay alive, durations stay true."""

import itertools
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from asc_experiments.base.ownership import this_process
from asc_experiments.distill import TrainingContext, train_student
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.trials import EPOCH_SECONDS, TRAINING_SECONDS
from asc_experiments.training import make_recipe
from tests.faults.counting import check_what_is_left

pytestmark = pytest.mark.timeout(3_600)
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
JUDGE = """
import sys, psutil
from asc_experiments.base.ownership import is_gone
owner, pid, before = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
print(round((psutil.Process(pid).create_time() - before) / 3600), is_gone(owner), is_gone(owner.replace("@", "1@")))
"""


@pytest.mark.parametrize("hours", [-48, 1])
def test_owner_lives_on_when_the_clock_is_set(tmp_path: Path, hours: int) -> None:
    """As the kernel tells it of a clock that was set: the moment of boot, counted back from now, moves with it."""
    import psutil

    if not psutil.LINUX or os.geteuid() != 0:
        pytest.skip("needs Linux and root, for a /proc/stat of its own")
    lines = Path("/proc/stat").read_text().splitlines()
    moved = [f"btime {int(line.split()[1]) + 3_600 * hours}" if line.startswith("btime") else line for line in lines]
    (tmp_path / "stat").write_text("\n".join(moved) + "\n")
    (tmp_path / "judge.py").write_text(JUDGE)
    before = psutil.Process().create_time()
    judge = [sys.executable, str(tmp_path / "judge.py"), this_process(), str(os.getpid()), str(before)]
    script = f'mount --bind {tmp_path}/stat /proc/stat && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", *judge]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    if "mount" in told.stderr or "unshare" in told.stderr:
        pytest.skip(f"nothing can be mounted here ({told.stderr.strip()})")
    assert told.stdout.split() == [str(hours), "False", "True"], told.stderr


def test_durations_are_true_while_the_clock_jumps(
    open_bench: Callable[..., TrainingContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A made-up clock: every look at it finds it a day further or a day back."""
    bench = replace(open_bench(), cache=tmp_path / "cache")
    real, jumps = time.time, itertools.cycle([86_400, -86_400, 0])
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    began = time.monotonic()
    with bench.tracking.run(bench.tracking.experiment("students"), "student", "student") as run:
        train_student(bench, make_recipe("cp_mobile", epochs=3, base_channels=8, batch_size=64), run)
    took = time.monotonic() - began
    record = bench.tracking.get(run.run_id)
    assert record.status == "FINISHED"
    assert 0 < record.metrics[TRAINING_SECONDS] < took
    for name in (EPOCH_SECONDS, "train/loss"):
        points = bench.tracking.client.get_metric_history(run.run_id, name)
        assert sorted(point.step for point in points) == [1, 2, 3]
    assert all(0 < point.value < took for point in bench.tracking.client.get_metric_history(run.run_id, EPOCH_SECONDS))


@pytest.mark.skipif(LIBRARY is None, reason="needs libfaketime (Debian: apt-get install faketime)")
def test_study_under_a_clock_that_jumps_by_days_survives_a_kill_and_counts_right(
    synth_corpus: Path, workspace: Path, study_file: Callable[..., Path], cache: Path, tmp_path: Path
) -> None:
    """Every process of the study, down to its databases, is told a clock that somebody sets all the time."""
    clock, chance = tmp_path / "clock", random.Random(5)
    variables = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_CACHE_DURATION": "1"}
    variables |= {"DONT_FAKE_MONOTONIC": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "asc_experiments", "study", "run", str(study_file()), "--workers", "2"]
    command += ["--corpus", str(synth_corpus), "--workspace", str(workspace), "--trials", "4"]
    ended = threading.Event()

    def set_it() -> None:
        partial = clock.with_suffix(".partial")
        partial.write_text(f"{chance.randint(-200_000, 200_000):+d}\n")
        partial.replace(clock)

    def keep_setting_it() -> None:
        while not ended.wait(0.7):
            set_it()

    set_it()
    setter = threading.Thread(target=keep_setting_it)
    setter.start()
    try:
        killed = subprocess.Popen(command, env=os.environ | variables, stderr=subprocess.PIPE, text=True)
        assert killed.stderr is not None
        said = list(itertools.takewhile(lambda line: "1 of 4 trials done" not in line, killed.stderr))
        assert killed.poll() is None, "".join(said)
        killed.kill()
        killed.communicate()
        last = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)
    finally:
        ended.set()
        setter.join()
    assert last.returncode == 0, last.stderr
    check_what_is_left(Tracking.open(workspace), open_storage(workspace, None), 4, epochs=2)
