"""Files that a person asked for: whole or not there, and an earlier one kept until the new one is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from asc_experiments.base.errors import AscError

_REMEDY = "give another file: -o FILE"


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
        file = part.open("wb", buffering=0)
    except OSError as error:
        raise _refusal(path, error) from None

    def write(content: bytes) -> None:
        try:
            file.write(content)
        except OSError as error:
            raise _refusal(path, error) from None

    try:
        with file:
            yield write
        try:
            part.replace(path)
        except OSError as error:
            raise _refusal(path, error) from None
    finally:
        with suppress(FileNotFoundError):  # it has taken its place
            part.unlink()


def _refusal(path: Path, error: OSError) -> AscError:
    return AscError(path, f"cannot be written ({error.strerror})", _REMEDY)
