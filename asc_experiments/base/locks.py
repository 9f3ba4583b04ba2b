"""Where the locks lie that processes on one machine wait for each other by.

They are the kernel's: it lets go of a lock when its process dies, however that happens, and of no lock before.
"""

from __future__ import annotations

from pathlib import Path

from asc_experiments.base.errors import AscError


def lock_path(cache: Path, name: str) -> Path:
    """The path of a lock in a cache's folder of locks, which is made.

    Raises:
        AscError: if the cache cannot be written.
    """
    path = cache / "locks" / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()  # waiting for a lock in a folder that cannot be written would end in a traceback
    except OSError as error:
        raise AscError(cache, f"cannot be written ({error.strerror})", "give another --workspace") from None
    return path
