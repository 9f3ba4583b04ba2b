"""The wall clock is set forward and back: owners stay alive, durations stay true."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from asc_experiments.base.ownership import this_process
from asc_experiments.distill import Workbench, train_student
from asc_experiments.tracking.trials import EPOCH_SECONDS, TRAINING_SECONDS
from asc_experiments.training import make_recipe

JUDGE = """
import sys, psutil
from asc_experiments.base.ownership import is_gone
owner, pid, before = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
print(round((psutil.Process(pid).create_time() - before) / 3600), is_gone(owner), is_gone(owner[:-1] + "x"))
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
    open_bench: Callable[..., Workbench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
