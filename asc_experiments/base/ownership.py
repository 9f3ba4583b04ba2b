"""Which process owns a piece of work, and whether it is still alive.

A run or a trial that says RUNNING is only believed while its owner lives. An owner is ``host:pid:start``, so that a
process number used again by another program is not mistaken for it. ``start`` is what no clock that somebody sets can
change, and says where the process number counts: on Linux ``ticks@boot.namespace``, the ticks between boot and the
process's start, which boot that was, and the namespace of process numbers (each container has its own).
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from asc_experiments.base.liveness import liveness, show_liveness_in

_STARTTIME = 19
"""Where a process's start stands in /proc/PID/stat after the program's name in brackets (proc(5), field 22)."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_OF_THE_MACHINE = "4026531836"
"""The namespace of process numbers that Linux boots with (PROC_PID_INIT_INO); every container has another."""


@dataclass(frozen=True)
class _Owner:
    """An owner's parts; ``boot`` and ``namespace`` are empty where its system, or an older version, did not say."""

    host: str
    pid: int
    ticks: str
    boot: str = ""
    namespace: str = ""

    @classmethod
    def read(cls, text: str | None) -> _Owner | None:
        """Take an owner apart; None of what is none."""
        host, pid, start = text.split(":") if text and text.count(":") == 2 else ("", "", "")
        if not pid.isdecimal():
            return None
        ticks, _, rest = start.partition("@")
        boot, _, namespace = rest.partition(".")
        return cls(host, int(pid), ticks, boot, namespace)

    @property
    def is_visible(self) -> bool:
        """Whether its process number is one of those that this process sees, whatever its host is called."""
        ours = _this()
        if self.boot and self.namespace and ours.namespace:
            return (self.boot, self.namespace) == (ours.boot, ours.namespace) and _sees_its_namespace()
        return self.host == ours.host

    @property
    def is_of_an_earlier_boot(self) -> bool:
        """Whether it was a process of this machine, outside of containers, before that was started anew."""
        ours = _this()
        return (self.host, self.namespace) == (ours.host, ours.namespace) and (
            self.boot != ours.boot and ours.namespace == _OF_THE_MACHINE
        )

    @property
    def may_share_folders(self) -> bool:
        """Whether it is in another container of this machine, or of one that bears its name."""
        ours = _this()
        return self.host == ours.host or (bool(self.boot) and self.boot == ours.boot)

    def __str__(self) -> str:
        place = f"@{self.boot}.{self.namespace}" if self.boot else ""
        return f"{self.host}:{self.pid}:{self.ticks}{place}"


def this_process() -> str:
    """The owner string of the running process."""
    return str(_this())


_driver: str | None = None
"""Whom this process works for, where that is not itself."""


def work_for(driver: str) -> None:
    """Have this process, a worker, say in whose study it works: that one's end is the end of its work too.

    Args:
        driver: the owner string of a study's driver.
    """
    global _driver
    _driver = driver


def this_driver() -> str:
    """The owner string of the process that this one works for; its own where it works for itself."""
    return _driver or this_process()


def show_life_in(folder: Path) -> None:
    """Let other containers that share a folder know, for as long as this process lives, that it does."""
    show_liveness_in(folder, this_process())


def is_gone(owner: str | None) -> bool:
    """Whether the owner is known to be dead. One that nobody can tell of here counts as alive.

    A process that is stopped (a suspended shell, a closed laptop) is alive, however long it sleeps.
    """
    return _is_alive(owner) is False


def is_elsewhere(owner: str | None) -> bool:
    """Whether nothing here tells if the owner lives: it is on another host, and only its heartbeats tell."""
    return _is_alive(owner) is None


def _is_alive(text: str | None) -> bool | None:
    """Whether an owner is alive; None where nothing here tells."""
    owner = _Owner.read(text)
    if owner is None or owner.is_of_an_earlier_boot:
        return False
    if owner.is_visible:
        return _has_process(owner)
    # Another host's lock might look free here: not all file systems have one host's locks hold on another.
    return liveness(str(text)) if owner.may_share_folders else None


def _has_process(owner: _Owner) -> bool:
    try:
        is_same = (_start_of(owner.pid), _this().boot) == (owner.ticks, owner.boot)
        return is_same and psutil.Process(owner.pid).status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, OSError, ValueError):
        return False


def this_boot() -> str:
    """Names the time since the machine was started; empty where the system does not say."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def _this() -> _Owner:
    """The running process."""
    host, pid = socket.gethostname(), os.getpid()
    if not psutil.LINUX:
        return _Owner(host, pid, _start_of(pid))
    return _Owner(host, pid, _start_of("self"), this_boot()[:8], _namespace())


def _namespace() -> str:
    """The namespace of this process's number, as Linux numbers it; empty where it does not say."""
    try:
        return os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        return ""


def _sees_its_namespace() -> bool:
    """Whether /proc shows the processes of this one's namespace, and not of one outside."""
    return os.readlink("/proc/self") == str(os.getpid())


def _start_of(process: int | str) -> str:
    """When a process started. (psutil adds the time of boot, which jumps whenever the clock is set.)"""
    if not psutil.LINUX:
        return str(int(psutil.Process(int(process)).create_time()))
    stat = Path(f"/proc/{process}/stat").read_text()
    return stat.rpartition(")")[2].split()[_STARTTIME]
