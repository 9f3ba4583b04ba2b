"""How many processors this process may use: fewer than the machine has, in a container or under a scheduler."""

from __future__ import annotations

import os


def processors() -> int:
    """The number of processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
