"""How many processors this process may use, and how those that it starts end with it."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import os
import threading


def processors() -> int:
    """The number of processors that this process may run on: fewer than there are, in a container or under Slurm."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def end_with_parent() -> None:
    """Have this process, which Python started for another one, end when that one does, however it ends."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
