"""The archive: a tar file, written in one pass; at its end a manifest with the SHA-256 of every file."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Literal

from pydantic import Field

from asc_experiments import __version__
from asc_experiments.base.errors import AscError
from asc_experiments.base.files import whole_file
from asc_experiments.migration.records import Record

_MODES = {".tar": "w|", ".tar.gz": "w|gz", ".tgz": "w|gz"}
MANIFEST, SEAL = "manifest.json", "manifest.sha256"


class FileEntry(Record):
    """A file of an archive."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]


class Manifest(Record):
    """What an archive holds, and by which version of this program it was written."""

    format: Literal[1] = 1
    written_by: str = __version__
    studies: list[str]
    files: dict[str, FileEntry]


class ArchiveWriter:
    """Adds files to an archive, in the order in which they come."""

    def __init__(self, opened: tarfile.TarFile) -> None:
        self._tar = opened
        self.files: dict[str, FileEntry] = {}

    def text(self, name: str, text: str) -> None:
        """Add a text."""
        self._add(name, io.BytesIO(text.encode()), len(text.encode()))

    def file(self, name: str, path: Path) -> None:
        """Add a file.

        Raises:
            AscError: if its name cannot be moved.
        """
        with path.open("rb") as content:
            self._add(name, content, os.fstat(content.fileno()).st_size)

    def folder(self, name: str, folder: Path | None) -> int:
        """Add every file of a folder, under this name; how many bytes there were."""
        size = 0
        for path in sorted(folder.rglob("*")) if folder else ():
            if path.is_file() and not path.is_symlink():
                self.file(f"{name}/{path.relative_to(folder).as_posix()}", path)  # type: ignore[arg-type]
                size += path.stat().st_size
        return size

    def seal(self, studies: list[str]) -> None:
        """Add the manifest, and its own checksum."""
        text = Manifest(studies=studies, files=self.files).text()
        self.text(MANIFEST, text)
        self.text(SEAL, hashlib.sha256(text.encode()).hexdigest())

    def _add(self, name: str, content: IO[bytes], size: int) -> None:
        if not is_inside(name):
            raise AscError(name, "is a name that cannot be moved", "rename that file in its run")
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o644
        hashing = Hashing(content)
        self._tar.addfile(member, hashing)
        self.files[name] = FileEntry(sha256=hashing.digest(), size=size)


@contextmanager
def writing(path: Path) -> Iterator[ArchiveWriter]:
    """Write an archive; it is there only if the block ends well, and one that was there stays until then.

    Args:
        path: ``….tar``, or ``….tar.gz`` to have it compressed.

    Raises:
        AscError: if it cannot be written.
    """
    with whole_file(path) as write, tarfile.open(fileobj=_Into(write), mode=mode_of(path)) as opened:  # type: ignore[call-overload]
        yield ArchiveWriter(opened)


def mode_of(path: Path) -> str:
    """How tarfile writes an archive of that name.

    Raises:
        AscError: if the name does not say.
    """
    found = [mode for ending, mode in _MODES.items() if path.name.endswith(ending)]
    if not found:
        raise AscError(path, "is no name of an archive", "call it ….tar, or ….tar.gz to have it compressed")
    return found[0]


def is_inside(name: str) -> bool:
    """Whether a name stays inside the folder that it is unpacked to."""
    return all(part not in ("", ".", "..") and not set(part) & set("\\\0") for part in name.split("/"))


class Hashing:
    """Reads a file and knows the SHA-256 of what was read."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content, self._state = content, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        piece = self._content.read(size)
        self._state.update(piece)
        return piece

    def digest(self) -> str:
        """Of what was read so far."""
        return self._state.hexdigest()


class _Into:
    """What tarfile writes to."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def write(self, content: bytes) -> int:
        """Write on."""
        self._write(content)
        return len(content)
