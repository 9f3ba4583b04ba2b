"""A disk that is full, and a workspace that is read-only: real ones, mounted for the test."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asc_experiments.study.storage import open_storage
from asc_experiments.tracking import Tracking
from tests.faults.counting import check_what_is_left

TINY = ("--set", "base_channels=8", "--set", "batch_size=64")


def mount(*arguments: object) -> None:
    """Mount something, or skip: that takes root."""
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here ({done.stderr.strip()})")


@pytest.fixture
def small_disk(tmp_path: Path, new_database: Path) -> Iterator[Path]:
    """A workspace on a disk of 8 MB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", "size=8m", "none", disk)
    (disk / "mlruns").mkdir()
    shutil.copy(new_database, disk / "mlruns")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path, left: int) -> Path:
    """Fill a disk but for this many bytes; the file that does."""
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(disk).free - left))
    return ballast


@pytest.mark.parametrize("left", [30_000, 300_000])
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
        ("teacher", "list"),
        ("report", "tiny"),
    ):
        result = asc(*command, "--workspace", read_only)
        assert result.code == 2, (command, result.err)
        assert result.err.count("\n") == 1, (command, result.err)
        assert "cannot be written" in result.err, (command, result.err)
        assert str(read_only) in result.err
