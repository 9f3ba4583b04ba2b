"""Where the locks lie that processes on one machine wait for each other by."""

from __future__ import annotations

from pathlib import Path

from asc_experiments.base.errors import AscError


def lock_path(cache: Path, name: str) -> Path:
    """The path of a lock in a cache's folder of locks, which is made.

    Raises:
        AscError: if the cache cannot be written.
    """
    locks = cache / "locks"
    try:
        locks.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AscError(cache, f"cannot be written ({error.strerror})", "give another --workspace") from None
    return locks / f"{name}.lock"
