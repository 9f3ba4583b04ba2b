"""Worker processes do what they are given, whoever is killed."""

import operator
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from asc_experiments.base.durations import parse_duration
from asc_experiments.base.errors import AscError, NotFiniteError, Problem, ProblemsError
from asc_experiments.base.ownership import this_driver, this_process
from asc_experiments.study.executors import local as executor
from asc_experiments.study.executors.jobs import Pruned
from asc_experiments.study.executors.local import InProcess, WorkerPool, WorkError

TASKS = """
import os, signal, time
from asc_experiments.base.errors import Problem, ProblemsError, NotFiniteError
from asc_experiments.study.executors.jobs import Pruned


def wait_for(path):
    while not path.exists():
        time.sleep(0.01)


def meet(mine, theirs):
    mine.touch()
    wait_for(theirs)
    return os.getpid()


def counted(log, until):
    with log.open("a") as file:
        file.write("begun ")
    wait_for(until)
    return log.read_text()


def killed_once(log):
    with log.open("a") as file:
        file.write("begun ")
    if log.read_text() == "begun ":
        os.kill(os.getpid(), signal.SIGKILL)
    return log.read_text()


def always_killed(log):
    with log.open("a") as file:
        file.write("begun ")
    os.kill(os.getpid(), signal.SIGKILL)


def until_stopped(log):
    log.write_text("begun")
    try:
        time.sleep(600)
    except BaseException as stop:
        log.write_text(f"ended by {stop!r}")
        raise


class Unpicklable(Exception):
    def __init__(self, one, two):
        super().__init__("only one")


def fails(what):
    if what == "problems":
        raise ProblemsError([Problem("a", "b", "c"), Problem("d", "e", "f")], "asc corpus check")
    if what == "loss":
        raise NotFiniteError("loss", "is nan")
    if what == "pruned":
        raise Pruned("pruned after epoch 3")
    raise Unpicklable(1, 2)
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A module of tasks that worker processes can import too."""
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "tasks_of_workers.py").write_text(TASKS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)  # which new processes inherit
        import tasks_of_workers  # type: ignore[import-not-found]

        yield tasks_of_workers


@pytest.fixture(scope="module")
def pool(tasks: Any) -> Iterator[WorkerPool]:
    """Two workers that several tests use, as starting one takes seconds."""
    made = WorkerPool(2)
    yield made
    made.shutdown()


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_results_come_back_from_other_processes_that_share_the_processors(
    pool: WorkerPool, tasks: Any, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    pids = {pool.submit(tasks.meet, one, two), pool.submit(tasks.meet, two, one)}
    assert len({pid.result() for pid in pids} - {os.getpid()}) == 2, "both worked at the same time"
    assert [pool.submit(operator.mul, n, n).result() for n in range(5)] == [0, 1, 4, 9, 16]
    assert pool.submit(torch.get_num_threads).result() == max(1, (os.cpu_count() or 1) // 2)


def test_worker_says_whom_it_works_for(pool: WorkerPool) -> None:
    assert pool.submit(this_driver).result() == this_driver() == this_process()
    assert pool.submit(this_process).result() != this_process()


def test_errors_that_mean_something_come_back_as_they_are(pool: WorkerPool, tasks: Any) -> None:
    with pytest.raises(AscError) as error:
        pool.submit(parse_duration, "soon", "--timeout").result()
    assert error.value.line() == "--timeout soon: is no duration; write 90m, 12h, 2d or a number of seconds"
    with pytest.raises(ProblemsError) as problems:
        pool.submit(tasks.fails, "problems").result()
    assert problems.value.problems == (Problem("a", "b", "c"), Problem("d", "e", "f"))
    with pytest.raises(NotFiniteError, match="loss: is nan"):
        pool.submit(tasks.fails, "loss").result()
    with pytest.raises(Pruned, match="pruned after epoch 3"):
        pool.submit(tasks.fails, "pruned").result()


def test_any_other_error_comes_back_as_text_with_its_traceback(pool: WorkerPool, tasks: Any) -> None:
    with pytest.raises(WorkError) as error:
        pool.submit(tasks.fails, "otherwise").result()
    assert str(error.value) == "Unpicklable: only one"
    assert "tasks_of_workers.py" in error.value.trace
    assert "raise Unpicklable(1, 2)" in error.value.trace
    assert pool.submit(operator.add, 1, 1).result() == 2, "the worker continues"


def test_killed_worker_loses_only_its_own_task_which_is_done_again(
    pool: WorkerPool, tasks: Any, tmp_path: Path
) -> None:
    other = pool.submit(tasks.counted, tmp_path / "other", tmp_path / "continue")
    wait_until((tmp_path / "other").exists)
    assert pool.submit(tasks.killed_once, tmp_path / "killed").result() == "begun begun "
    (tmp_path / "continue").touch()
    assert other.result() == "begun "


def test_task_that_kills_its_workers_is_given_up(
    pool: WorkerPool, tasks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "_ATTEMPTS", 2)  # starting a worker takes seconds
    with pytest.raises(executor.WorkerLost, match="was killed 2 times in one training; is there enough memory"):
        pool.submit(tasks.always_killed, tmp_path / "log").result()
    assert (tmp_path / "log").read_text() == "begun begun "


def test_running_task_is_ended_by_stop_and_may_say_so(tasks: Any, tmp_path: Path) -> None:
    pool, log = WorkerPool(1), tmp_path / "log"
    running, queued = pool.submit(tasks.until_stopped, log), pool.submit(os.getpid)
    wait_until(lambda: log.exists() and log.read_text() == "begun")
    pid = pool._all[0]._pid
    assert pid is not None
    pool.stop()
    assert log.read_text() == f"ended by Terminated({128 + signal.SIGTERM})"
    assert isinstance(running.exception(), SystemExit)
    assert queued.cancelled()
    wait_until(lambda: not is_running(pid))


def test_task_whose_worker_was_still_starting_is_not_begun_after_stop(tasks: Any, tmp_path: Path) -> None:
    pool = WorkerPool(1)
    future = pool.submit(tasks.until_stopped, tmp_path / "log")
    pool.stop()
    assert future.exception() is not None
    assert not (tmp_path / "log").exists()


def test_workers_end_when_their_driver_is_killed() -> None:
    script = (
        "import os, time\n"
        "from asc_experiments.study.executors.local import WorkerPool\n"
        "if __name__ == '__main__':\n"
        "    pool = WorkerPool(1)\n"
        "    pid = pool.submit(os.getpid).result()\n"
        "    pool.submit(time.sleep, 600)\n"
        "    print(pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert driver.stdout is not None
    pid = int(driver.stdout.readline())
    assert is_running(pid)
    driver.kill()
    driver.wait()
    wait_until(lambda: not is_running(pid))


def test_work_in_this_process_is_done_when_it_is_submitted() -> None:
    here = InProcess()
    futures: list[Future[Any]] = [here.submit(os.getpid), here.submit(operator.truediv, 1, 0)]
    assert futures[0].result() == os.getpid()
    assert isinstance(futures[1].exception(), ZeroDivisionError), "as it is"


def test_interrupt_goes_straight_through_work_in_this_process() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores interrupts
    try:
        with pytest.raises(KeyboardInterrupt):
            InProcess().submit(signal.raise_signal, signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
