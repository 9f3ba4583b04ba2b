"""Files that a person asked for: whole or not there, and an earlier one kept until the new one is whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from asc_experiments.base.errors import AscError

_REMEDY = "give another file: -o FILE"


def absolute(path: Path) -> Path:
    """A path from the root, without ``..``: what is stored of a folder does not depend on where it was named from."""
    return path.resolve() if ".." in path.parts else path.absolute()


@contextmanager
def whole_file(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Write a file beside its place and move it there at the end of a block that went well; else nothing stays.

    Args:
        path: the file; one that exists is replaced.

    Yields:
        What appends bytes.

    Raises:
        AscError: if it cannot be written; before the block where that can be known.
    """
    if not path.parent.is_dir():
        raise AscError(path.parent, "no such folder", f"make it, or {_REMEDY}")
    if path.is_dir():
        raise AscError(path, "is a folder", _REMEDY)
    part = path.with_name(f"{path.name}.part")
    try:
        file: BinaryIO = part.open("wb", buffering=0)
    except OSError as error:
        raise _refusal(path, error) from None

    def write(content: bytes) -> None:
        try:
            _write_all(file, content)
        except OSError as error:
            raise _refusal(path, error) from None

    try:
        with _closing(file):
            yield write
            try:
                _settle(file)
                part.replace(path)
            except OSError as error:
                raise _refusal(path, error) from None
    finally:
        with suppress(FileNotFoundError):  # it has taken its place
            part.unlink()


def _write_all(file: BinaryIO, content: bytes) -> None:
    """Write to the last byte: a disk takes what it has space for, and only at the next byte says that it is full."""
    rest = memoryview(content).cast("B")
    while rest:
        written = file.write(rest)
        if not written:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rest = rest[written:]


def _settle(file: BinaryIO) -> None:
    """Have the disk say now what it may say later: network and compressing file systems find space only at the end."""
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot be asked
            raise
    file.close()


@contextmanager
def _closing(file: BinaryIO) -> Iterator[None]:
    """Close a file at the end of a block; what closing a given-up file says is of no interest."""
    try:
        yield
    finally:
        with suppress(OSError):
            file.close()


def _refusal(path: Path, error: OSError) -> AscError:
    return AscError(path, f"cannot be written ({error.strerror})", _REMEDY)
