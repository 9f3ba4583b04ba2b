"""Locks that processes hold for as long as they live, for those who cannot see them.

Containers of one machine share folders, but not process numbers: what tells one that the other still lives is a lock
that the kernel lets go of when its process dies, however that happens.
"""

from __future__ import annotations

import fcntl
import os
import threading
from hashlib import sha256
from pathlib import Path

_held: dict[Path, int] = {}
"""The open files of the locks that this process holds, by their folders."""
_looked_in: set[Path] = set()
_guard = threading.Lock()
"""Two threads that opened one file would wait for each other's lock for ever, and a fork between opening a file and
noting that it is open would leave it to the child.
"""


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
    with _guard:
        if folder not in _held:
            _hold(folder, owner)


def _hold(folder: Path, owner: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(_path(folder, owner), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX)  # waits at most for somebody who looks
        _held[folder] = file
    except OSError:  # the file system has no locks; a file that is free would tell that this process is dead
        _path(folder, owner).unlink(missing_ok=True)
        os.close(file)
    except BaseException:  # a signal's: a lock that nobody knows of would be waited for, for ever, the next time
        _held.pop(folder, None)
        os.close(file)
        raise


def liveness(owner: str) -> bool | None:
    """Whether a process holds its lock, in any folder that is looked in; None where it left none."""
    with _guard:
        found = [_is_held(_path(folder, owner)) for folder in tuple(_looked_in)]
    known = [held for held in found if held is not None]
    return any(known) if known else None


def _is_held(path: Path) -> bool | None:
    """Whether somebody holds the lock of a file; None where there is no file, or nothing can be known of it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(file)


def _forget_parents() -> None:
    """Let go of what a fork inherited: a child that outlives its parent must not keep that one alive."""
    for file in _held.values():
        os.close(file)
    _held.clear()
    _guard.release()


os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_forget_parents)


def _path(folder: Path, owner: str) -> Path:
    return folder / f"process-{sha256(owner.encode()).hexdigest()[:24]}.lock"
