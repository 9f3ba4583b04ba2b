"""Where the locks lie that processes on one machine wait for each other by.

They are the kernel's: it lets go of a lock when its process dies, however that happens, and of no lock before.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from asc_experiments.base.errors import AscError
from asc_experiments.base.liveness import lock_folder
from asc_experiments.base.ownership import show_life_in

Locks = Callable[[str], AbstractContextManager[Any]]
"""Gives a lock by its name; equal ones have to be equal, and survive the way into a worker process."""


def lock_path(cache: Path, name: str) -> Path:
    """The path of a lock in a cache's folder of locks, which is made; there this process shows that it lives, too.

    Raises:
        AscError: if the cache cannot be written.
    """
    path = lock_folder(cache) / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()  # waiting for a lock in a folder that cannot be written would end in a traceback
    except OSError as error:
        raise AscError(cache, f"cannot be written ({error.strerror})", "give another --workspace") from None
    show_life_in(path.parent)
    return path


@dataclass(frozen=True)
class FolderLocks:
    """Locks by their names, as files of a folder that lies where everybody sees it who has to wait.

    Attributes:
        folder: of the locks; made when there is the first one.
    """

    folder: Path

    def __call__(self, name: str) -> FileLock:
        """A lock that processes wait for each other by.

        Raises:
            AscError: if the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{name}.lock"
            path.open("a").close()
        except OSError as error:
            what = f"cannot be written ({error.strerror})"
            raise AscError(self.folder, what, "give it back its permissions, or another --storage") from None
        return FileLock(path)
