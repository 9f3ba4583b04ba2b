"""Which process owns a piece of work, and whether it is still alive.

A run or a trial that says RUNNING is only believed while its owner lives. An owner is ``host:pid:start``, so that a
process number used again by another program is not mistaken for it. ``start`` is what no clock that somebody sets can
change: on Linux the ticks between boot and the process's start, and which boot that was.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil

_STARTTIME = 19
"""Where a process's start stands in /proc/PID/stat after the program's name in brackets (proc(5), field 22)."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def this_process() -> str:
    """The owner string of the running process."""
    process = psutil.Process(os.getpid())
    return f"{socket.gethostname()}:{process.pid}:{_start_of(process)}"


def is_gone(owner: str | None) -> bool:
    """Whether the owner is known to be dead. A process on another host counts as alive: nobody here can tell.

    A process that is stopped (a suspended shell, a closed laptop) is alive, however long it sleeps.
    """
    if not owner or owner.count(":") != 2:
        return True
    host, pid, start = owner.split(":")
    if host != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(pid))
        return _start_of(process) != start or process.status() == psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, OSError, ValueError):
        return True


def is_elsewhere(owner: str | None) -> bool:
    """Whether the owner is a process of another host, of which only its heartbeats tell."""
    return owner is not None and owner.count(":") == 2 and owner.split(":")[0] != socket.gethostname()


def this_boot() -> str:
    """Names the time since the machine was started; empty where the system does not say."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def _start_of(process: psutil.Process) -> str:
    """When a process started. (psutil adds the time of boot, which jumps whenever the clock is set.)"""
    if not psutil.LINUX:
        return str(int(process.create_time()))
    stat = Path(f"/proc/{process.pid}/stat").read_text()
    return f"{stat.rpartition(')')[2].split()[_STARTTIME]}@{this_boot()[:8]}"
