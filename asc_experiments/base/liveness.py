"""Locks that processes hold for as long as they live, for those who cannot see them.

Containers of one machine share folders, but not process numbers: what tells one that the other still lives is a lock
that the kernel lets go of when its process dies, however that happens.
"""

from __future__ import annotations

import fcntl
import os
from hashlib import sha256
from pathlib import Path

_held: dict[Path, int] = {}
"""The open files of the locks that this process holds, by their folders."""
_looked_in: set[Path] = set()


def lock_folder(cache: Path) -> Path:
    """A cache's folder of locks, these among them; it need not be there."""
    return cache / "locks"


def look_for_liveness_in(folder: Path) -> None:
    """Have :func:`liveness` look into a folder, which need not be there."""
    _looked_in.add(folder.absolute())


def show_liveness_in(folder: Path, owner: str) -> None:
    """Hold a process's lock in a folder until the process ends; where that cannot be, nobody learns of it there.

    Args:
        folder: of locks; made if it is not there.
        owner: this process.
    """
    folder = folder.absolute()
    look_for_liveness_in(folder)
    if folder in _held:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(_path(folder, owner), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX)  # waits at most for somebody who looks
    except OSError:  # the file system has no locks; a file that is free would tell that this process is dead
        _path(folder, owner).unlink(missing_ok=True)
        os.close(file)
        return
    _held[folder] = file


def liveness(owner: str) -> bool | None:
    """Whether a process holds its lock, in any folder that is looked in; None where it left none."""
    found: bool | None = None
    for folder in tuple(_looked_in):
        try:
            file = os.open(_path(folder, owner), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            found = False
        except BlockingIOError:
            return True
        except OSError:  # nothing is known
            continue
        finally:
            os.close(file)
    return found


def _forget_parents() -> None:
    """Let go of what a fork inherited: a child that outlives its parent must not keep that one alive."""
    for file in _held.values():
        os.close(file)
    _held.clear()


os.register_at_fork(after_in_child=_forget_parents)


def _path(folder: Path, owner: str) -> Path:
    return folder / f"process-{sha256(owner.encode()).hexdigest()[:24]}.lock"
