"""Optuna's journal file, with whole lines only: what a full disk or a kill cut off is taken back.

Optuna appends a line and leaves what was written of it where the disk is full. The next line would be joined to that
half one, and the whole study could not be read any more.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any, BinaryIO

from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import get_lock_file

_BLOCK = 4_096


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
