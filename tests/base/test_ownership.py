"""Who lives: processes of this machine, of its containers, and of other machines."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from asc_experiments.base import ownership
from asc_experiments.base.liveness import look_for_liveness_in
from asc_experiments.base.ownership import is_elsewhere, is_gone, show_life_in, this_process
from tests.containers import CONTAINER, end, needs_containers

LIVES = """
import sys
from pathlib import Path
from asc_experiments.base.ownership import show_life_in, this_process
for folder in sys.argv[1:]:
    show_life_in(Path(folder))
print(this_process(), flush=True)
sys.stdin.read()
"""
JUDGES = "import sys; from asc_experiments.base.ownership import is_gone; print(is_gone(sys.argv[1]))"

Start = Callable[..., tuple[str, subprocess.Popen[str]]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process that lives until it is killed, in a container or beside this one; it, and its owner string."""
    started: list[subprocess.Popen[str]] = []

    def start_(prefix: list[str], *folders: Path) -> tuple[str, subprocess.Popen[str]]:
        command = [*prefix, sys.executable, "-c", LIVES, *map(str, folders)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip(), process

    yield start_
    for process in started:
        end(process)


@needs_containers
def test_process_of_another_container_with_this_host_name_is_not_taken_for_dead(start: Start) -> None:
    owner, container = start(CONTAINER)
    assert owner.split(":")[0] == this_process().split(":")[0]
    assert not is_gone(owner)
    assert is_elsewhere(owner), "only its heartbeats tell"
    end(container)
    assert not is_gone(owner), "nobody here can tell"


@needs_containers
def test_container_does_not_take_processes_outside_for_dead() -> None:
    told = subprocess.run([*CONTAINER, sys.executable, "-c", JUDGES, this_process()], capture_output=True, text=True)
    assert told.stdout == "False\n", told.stderr


@needs_containers
def test_container_that_shares_a_folder_is_known_to_live_and_known_to_be_dead(start: Start, tmp_path: Path) -> None:
    owner, container = start(CONTAINER, tmp_path / "cache", tmp_path / "not shared")
    look_for_liveness_in(tmp_path / "cache")
    assert (is_gone(owner), is_elsewhere(owner)) == (False, False)
    for process in psutil.Process(container.pid).children():
        process.send_signal(signal.SIGSTOP)
    assert (is_gone(owner), is_elsewhere(owner)) == (False, False), "it sleeps"
    end(container)
    assert is_gone(owner)


def test_child_that_outlives_the_process_that_forked_it_does_not_show_it_alive(tmp_path: Path) -> None:
    script = f"""
import os, sys
from pathlib import Path
from asc_experiments.base.ownership import show_life_in, this_process
show_life_in(Path({str(tmp_path)!r}))
if os.fork():
    print(this_process(), flush=True)
    os._exit(0)
sys.stdin.read()
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    owner = process.stdout.readline().strip()
    process.wait()
    look_for_liveness_in(tmp_path)
    deadline = time.monotonic() + 30  # the child lets go when it first runs, which may be after its parent's end
    while ownership.liveness(owner) is not False:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.stdin.close()
    process.stdout.close()


def test_threads_that_show_life_in_one_folder_at_once_do_not_wait_for_each_other(tmp_path: Path) -> None:
    script = f"""
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from asc_experiments.base.ownership import show_life_in
sys.setswitchinterval(1e-6)
for number in range(100):
    barrier = Barrier(4)
    def show(_):
        barrier.wait()
        show_life_in(Path({str(tmp_path)!r}) / str(number))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(show, range(4)))
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert len(list(tmp_path.glob("*/process-*.lock"))) == 100


def test_life_can_be_shown_after_a_signal_came_just_when_it_was_to_be_shown(tmp_path: Path) -> None:
    script = f"""
import fcntl
from pathlib import Path
from asc_experiments.base.liveness import liveness, show_liveness_in
real = fcntl.flock
def flock(*arguments):
    real(*arguments)
    fcntl.flock = real
    raise KeyboardInterrupt
fcntl.flock = flock
try:
    show_liveness_in(Path({str(tmp_path)!r}), "ours")
except KeyboardInterrupt:
    show_liveness_in(Path({str(tmp_path)!r}), "ours")  # what cleans up takes locks, too
assert liveness("ours")
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_process_is_known_by_its_number_whatever_its_host_is_called_now(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, process = start([])
    monkeypatch.setattr("socket.gethostname", lambda: "renamed")
    assert not is_gone(owner)
    end(process)
    assert is_gone(owner)


@pytest.mark.parametrize(
    ("boot", "namespace", "gone"),
    [
        ("same", "4026531836", False),
        ("other", "4026531836", True),
        ("other", "4026532179", False),
        ("same", "4026532179", False),
    ],
)
def test_only_a_machine_that_was_started_anew_has_no_processes_of_before(
    boot: str, namespace: str, gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "_namespace", lambda: "4026531836")
    host, pid, start = this_process().split(":")
    ticks, ours = start.partition(".")[0].split("@")
    there = f"{ticks}@{ours if boot == 'same' else 'fedcba98'}.{namespace}"
    assert is_gone(f"{host}:{pid}:{there}") is gone
    assert not is_gone(f"{host}-2:{pid}:{there}"), "a process of another machine"


def test_place_that_cannot_be_written_shows_no_life_and_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    show_life_in(tmp_path / "file" / "locks")
    assert ownership.liveness(this_process()) in (None, True)
    assert os.listdir(tmp_path) == ["file"]
