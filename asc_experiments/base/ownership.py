"""Which process owns a piece of work, and whether it is still alive.

A run or a trial that says RUNNING is only believed while its owner lives. An owner is ``host:pid:start`` (start: the
process's start time in whole seconds), so that a process number used again by another program is not mistaken for it.
"""

from __future__ import annotations

import os
import socket

import psutil


def this_process() -> str:
    """The owner string of the running process."""
    process = psutil.Process(os.getpid())
    return f"{socket.gethostname()}:{process.pid}:{int(process.create_time())}"


def is_gone(owner: str | None) -> bool:
    """Whether the owner is known to be dead. A process on another host counts as alive: nobody here can tell."""
    if not owner or owner.count(":") != 2:
        return True
    host, pid, start = owner.split(":")
    if host != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(pid))
        return abs(int(process.create_time()) - int(start)) > 1 or process.status() == psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError):
        return True
