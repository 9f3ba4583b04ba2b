"""A disk that is full, and a workspace that is read-only: real ones, mounted for the test."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill import LogitTable, TrainingContext, train_student
from asc_experiments.distill.teacher import LOGITS
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.tracking import Tracking
from asc_experiments.training import make_recipe
from tests.faults.counting import check_what_is_left
from tests.faults.servers import MlflowServer

pytestmark = pytest.mark.timeout(3_600)
LEFT = [30_000, 300_000, *(pytest.param(left, marks=pytest.mark.nightly) for left in (0, 100_000, 600_000, 900_000))]
"""In bytes: the study comes further or less far."""
TINY = ("--set", "base_channels=8", "--set", "batch_size=64")


def mount(*arguments: object) -> None:
    """Mount something, or skip: that takes root."""
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here ({done.stderr.strip()})")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 20 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=20m", "none", folder)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small_disk(disk: Path, new_database: Path) -> Path:
    """A workspace on a disk of its own."""
    (disk / "mlruns").mkdir()
    shutil.copy(new_database, disk / "mlruns")
    return disk


def fill(disk: Path, left: int) -> Path:
    """Fill a disk but for this many bytes; the file that does."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError):  # somebody else was quicker with the last bytes
        ballast.write_bytes(bytes(shutil.disk_usage(disk).free - left))
    return ballast


@pytest.mark.parametrize("left", LEFT)
def test_full_disk_is_one_line_and_the_study_goes_on_when_there_is_space(
    asc: Callable[..., Any], small_disk: Path, synth_corpus: Path, study_file: Callable[..., Path], left: int
) -> None:
    command = ["study", "run", str(study_file()), "--corpus", str(synth_corpus), "--trials", "2"]
    command += ["--workspace", str(small_disk)]
    ballast = fill(small_disk, left)
    program = [sys.executable, "-m", "asc_experiments", *command]
    full = subprocess.run(
        program, env=os.environ | {"ASC_TRACKING_PATIENCE": "1"}, capture_output=True, text=True, check=False
    )
    assert full.returncode == 2, full.stderr
    (line,) = [line for line in full.stderr.splitlines() if line.startswith("error: ")]
    assert "space" in line, line
    assert "Traceback" not in full.stderr
    ballast.unlink()
    done = asc(*command)
    assert done.code == 0, done.err
    check_what_is_left(Tracking.open(small_disk), open_storage(small_disk, None), 2, epochs=2)


def test_full_cache_costs_the_checkpoints_and_nothing_else(
    asc: Callable[..., Any], disk: Path, workspace: Path, synth_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASC_CACHE", str(disk))
    command = ("student", "train", "--corpus", synth_corpus, "--workspace", workspace, "--epochs", 2, *TINY)
    assert asc(*command).code == 0
    fill(disk, 0)
    done = asc(*command, "--seed", 1)
    assert done.code == 0, done.err
    assert done.err.count("no checkpoint can be written (No space left on device); continues without") == 1, done.err
    tracking = Tracking.open(workspace)
    assert [run.status for run in tracking.search([tracking.experiment("students")])] == ["FINISHED"] * 2


def test_full_disk_of_a_secondary_logger_costs_its_log_and_nothing_else(
    asc: Callable[..., Any], disk: Path, workspace: Path, synth_corpus: Path
) -> None:
    (workspace / "tensorboard").symlink_to(disk)
    command = ("student", "train", "--corpus", synth_corpus, "--workspace", workspace, "--epochs", 2, *TINY)
    fill(disk, 0)
    done = asc(*command, "--log-to", "tensorboard")
    assert done.code == 0, done.err
    assert done.err.count("not logged to tensorboard any more (OSError: [Errno 28] No space left on device") == 1, (
        done.err
    )
    assert "Traceback" not in done.err
    tracking = Tracking.open(workspace)
    (run,) = tracking.search([tracking.experiment("students")])
    assert run.status == "FINISHED"
    assert len(tracking.client.get_metric_history(run.run_id, "train/loss")) == 2


def test_training_goes_on_while_the_disk_of_the_tracking_server_is_full_and_loses_nothing(
    disk: Path, synth_corpus: Path, tmp_path: Path, cache: Path
) -> None:
    """Full for its database while the network trains, and full for its files when the network is stored."""
    server = MlflowServer(disk)
    server.start()
    server.wait()
    tracking, epochs, ballast = Tracking.open(tmp_path, server.url), 6, []
    bench = TrainingContext.open(synth_corpus, tracking, cache, ValidationSplit(fraction=0.3))
    some_space = threading.Timer(3.0, lambda: os.truncate(ballast[0], ballast[0].stat().st_size - 200_000))
    enough_space = threading.Timer(8.0, lambda: ballast[0].unlink())

    def after_epoch(epoch: int, _: Mapping[str, float]) -> None:
        if epoch == 1:
            ballast.append(fill(disk, 0))
        if epoch == epochs - 1:
            some_space.start()
            enough_space.start()

    try:
        with tracking.run(tracking.experiment("students"), "student", "student") as run:
            recipe = make_recipe("cp_mobile", epochs=epochs, base_channels=8, batch_size=64)
            train_student(bench, recipe, run, on_validation=after_epoch)
        enough_space.join()
        assert tracking.get(run.run_id).status == "FINISHED"
        points = tracking.client.get_metric_history(run.run_id, "train/loss")
        assert [point.step for point in points] == list(range(1, epochs + 1))
        with tracking.artifacts(run.run_id, LOGITS) as path:
            assert len(LogitTable.load(path).values) == len(bench.corpus.clips)
    finally:
        server.kill()


@pytest.fixture
def read_only(workspace: Path, synth_corpus: Path, asc: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A workspace with one teacher in it, its cache too, that can only be read."""
    monkeypatch.setenv("ASC_CACHE", str(workspace / ".asc"))
    where = ("--corpus", synth_corpus, "--workspace", workspace)
    assert asc("teacher", "train", "--arch", "cp_mobile", "--epochs", 1, *TINY, *where).code == 0
    mount("--bind", workspace, workspace)
    subprocess.run(["mount", "-o", "remount,ro,bind", str(workspace)], check=True)
    yield workspace
    subprocess.run(["umount", "-l", str(workspace)], check=True)


def test_read_only_workspace_is_one_line_whatever_is_asked(
    asc: Callable[..., Any], read_only: Path, synth_corpus: Path, study_file: Callable[..., Path]
) -> None:
    corpus = ("--corpus", synth_corpus)
    for command in (
        ("study", "run", study_file(), *corpus),
        ("teacher", "train", "--arch", "cp_mobile", "--epochs", 1, "--seed", 1, *TINY, *corpus),
        ("student", "train", "--epochs", 1, *TINY, *corpus),
        ("study", "list"),
        ("teacher", "show", "0"),
        ("report", "tiny"),
    ):
        result = asc(*command, "--workspace", read_only)
        assert result.code == 2, (command, result.err)
        assert result.err.count("\n") == 1, (command, result.err)
        assert "cannot be written" in result.err, (command, result.err)
        assert str(read_only) in result.err
    listed = asc("teacher", "list", "--workspace", read_only)
    assert listed.code == 0, "what only reads is answered"
    assert "cp_mobile" in listed.out
