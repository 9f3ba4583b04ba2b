"""Optuna's journal file, with whole lines only: what a full disk or a kill cut off is taken back.

Optuna appends a line and leaves what was written of it where the disk is full. The next line would be joined to that
half one, and the whole study could not be read any more.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.storages.journal._file import get_lock_file

from asc_experiments.base.liveness import look_for_liveness_in
from asc_experiments.base.locks import FolderLocks
from asc_experiments.base.ownership import show_life_in
from asc_experiments.study.storage.trial_status import OWNER

_BLOCK = 4_096


class JournalFile(JournalStorage):
    """A journal file, and locks that lie beside it: whoever opens the file, from whichever workspace, sees them.

    Args:
        path: of the file; its folder must be there.
    """

    def __init__(self, path: Path) -> None:
        path = path.resolve()  # else a link's folder would hold other locks
        super().__init__(WholeLines(str(path), _KernelLock(path)))
        self.locks = FolderLocks(path.with_name(path.name + ".locks"))
        look_for_liveness_in(self.locks.folder)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set an attribute; with the owner, all who open the journal in another container learn that it lives."""
        if key == OWNER:
            show_life_in(self.locks.folder)
        super().set_trial_user_attr(trial_id, key, value)


class _KernelLock(JournalFileOpenLock):
    """A lock that the kernel releases when its process dies; Optuna's own would be waited for half a minute."""

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self._journal = journal
        self._lock = FileLock(journal.with_name(journal.name + ".kernel-lock"))

    def __reduce__(self) -> tuple[Any, ...]:
        """Worker processes open the same journal under the same lock."""
        return type(self), (self._journal,)

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


class WholeLines(JournalFileBackend):
    """A journal file in which every line is whole."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append these, all or none, after the last whole line.

        Raises:
            OSError: if they cannot be written.
        """
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with get_lock_file(self._lock), open(self._file_path, "r+b", buffering=0) as file:
            end = _end_of_whole_lines(file)
            file.truncate(end)
            file.seek(end)
            try:
                rest = memoryview(lines)
                while rest:  # a disk takes what it has space for, and only then says that it is full
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    file.truncate(end)
                raise


def _end_of_whole_lines(file: BinaryIO | Any) -> int:
    """Where the last whole line ends."""
    end = file.seek(0, os.SEEK_END)
    while end:
        begin = max(0, end - _BLOCK)
        file.seek(begin)
        found = file.read(end - begin).rfind(b"\n")
        if found >= 0:
            return int(begin + found + 1)
        end = begin
    return 0
