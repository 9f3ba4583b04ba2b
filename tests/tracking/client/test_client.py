"""Runs end with the truth, whatever ends them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.base.ownership import this_process
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.records import ERROR, OWNER
from asc_experiments.tracking.client.run import Stopped


def test_block_that_ends_well_is_finished(tracking: Tracking) -> None:
    experiment = tracking.experiment("runs")
    with tracking.run(experiment, "fine", "student", {"colour": "blue"}) as run:
        run.params({"epochs": 3})
        run.metrics({"accuracy/device/s4": 0.5}, step=3)
    record = tracking.get(run.run_id)
    assert (record.status, record.name, record.tags["colour"]) == ("FINISHED", "fine", "blue")
    assert record.params == {"epochs": "3"}
    assert record.metrics == {"accuracy/device/s4": 0.5}


def test_block_that_raises_is_failed_with_its_error(tracking: Tracking) -> None:
    with pytest.raises(ValueError, match="broke"), tracking.run(tracking.experiment("runs"), "x", "student") as run:
        raise ValueError("it broke\nbadly")
    record = tracking.get(run.run_id)
    assert record.status == "FAILED"
    assert record.tags[ERROR] == "ValueError: it broke badly"


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(143), Stopped("pruned after epoch 2")])
def test_block_that_is_stopped_is_killed(tracking: Tracking, stop: BaseException) -> None:
    with pytest.raises(type(stop)), tracking.run(tracking.experiment("runs"), "x", "student") as run:
        raise stop
    assert tracking.get(run.run_id).status == "KILLED"


def test_experiments_keep_artifacts_in_the_workspace(tracking: Tracking, workspace: Path) -> None:
    with tracking.run(tracking.experiment("a study"), "x", "student") as run:
        run.table({"device": ["a"], "accuracy": [0.5]}, "table.json")
    assert list((workspace / "mlruns" / "artifacts").rglob("table.json"))


def test_sweep_ends_runs_of_dead_processes_only(tracking: Tracking, workspace: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from asc_experiments.tracking import Tracking\n"
        "t = Tracking.open(Path(sys.argv[1]))\n"
        "with t.run(t.experiment('runs'), 'victim', 'student') as run: print(run.run_id, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(workspace)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    victim = process.stdout.readline().strip()
    experiment = tracking.experiment("runs")
    with tracking.run(experiment, "alive", "student") as alive:
        assert tracking.sweep() == 0
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert tracking.sweep() == 1
        assert tracking.get(victim).status == "KILLED"
        assert tracking.get(alive.run_id).status == "RUNNING"
    assert tracking.get(alive.run_id).tags[OWNER] == this_process()


def test_server_that_does_not_answer_is_one_clear_error_within_seconds(tmp_path: Path) -> None:
    with socket.socket() as unanswered:  # bound but not listening: connections are refused
        unanswered.bind(("127.0.0.1", 0))
        uri = f"http://user:secret@127.0.0.1:{unanswered.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(AscError, match="does not answer") as caught:
            Tracking.open(tmp_path, uri)
    assert time.monotonic() - begun < 30
    assert "secret" not in caught.value.line()


def test_processes_opening_a_fresh_workspace_at_once_all_succeed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from asc_experiments.tracking import Tracking\n"
        "t = Tracking.open(Path(sys.argv[1])); print(t.experiment('shared'))"
    )
    racing = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    outputs = [process.communicate() for process in racing]
    assert [process.returncode for process in racing] == [0, 0, 0], outputs
    assert len({out for out, _ in outputs}) == 1


def test_deleted_experiment_is_a_clear_error(tracking: Tracking) -> None:
    tracking.client.delete_experiment(tracking.experiment("gone"))
    with pytest.raises(AscError, match="deleted"):
        tracking.experiment("gone")


def test_missing_artifact_is_a_clear_error(tracking: Tracking) -> None:
    with tracking.run(tracking.experiment("runs"), "x", "student") as run:
        pass
    with pytest.raises(AscError, match="cannot be read"), tracking.artifacts(run.run_id, "logits/logits.npz"):
        pass


def test_experiment_may_be_described_by_several_at_once(tracking: Tracking) -> None:
    with ThreadPoolExecutor(4) as several:
        for number in range(16):
            experiment = tracking.experiment(f"experiment {number}")
            list(several.map(lambda _, id_=experiment: tracking.describe(id_, "note", {"a": "1"}), range(4)))
            assert tracking.experiment_tags(experiment)["a"] == "1"


def test_a_workspace_may_be_named_from_anywhere_and_through_links(
    tracking: Tracking, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tracking.experiment("teachers")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(workspace)
    monkeypatch.chdir(tmp_path / "elsewhere")
    for named in (Path("../workspace"), Path("../elsewhere/../workspace"), tmp_path / "link", Path("../link")):
        assert Tracking.open(named).experiment("teachers") == first, named
    assert ".." not in Tracking.open(Path("../workspace")).uri


def test_a_workspace_that_was_copied_is_still_told_from_the_one_that_its_files_are_in(
    tracking: Tracking, workspace: Path, tmp_path: Path
) -> None:
    tracking.experiment("teachers")
    shutil.copytree(workspace, tmp_path / "copy")
    with pytest.raises(AscError, match="if the workspace was moved: asc workspace relocate"):
        Tracking.open(tmp_path / "copy").experiment("teachers")
