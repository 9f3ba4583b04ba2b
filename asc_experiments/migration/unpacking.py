"""Reading an archive: in one pass, into an empty folder, and believed only if every file is what the manifest says.

So a damaged, cut or forged archive is refused before anything is imported.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import zlib
from pathlib import Path

from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import progress
from asc_experiments.migration.archive import MANIFEST, SEAL, FileEntry, Hashing, Manifest, is_inside

_PIECE, _MB = 1 << 20, 1_000_000
# What tarfile and zlib raise of content that they cannot read.
_DAMAGED = (tarfile.TarError, zlib.error, EOFError, ValueError, OverflowError)
_REMEDY = "copy it once more, or export it again"


class Archive:
    """An archive that was unpacked and found whole.

    Attributes:
        folder: where its files are.
        manifest: what it holds.
    """

    def __init__(self, path: Path, folder: Path, manifest: Manifest) -> None:
        self.path, self.folder, self.manifest = path, folder, manifest

    @classmethod
    def unpack(cls, path: Path, folder: Path) -> Archive:
        """Unpack an archive and check every file of it.

        Args:
            path: the archive.
            folder: an empty one; nothing is written outside of it.

        Raises:
            AscError: if it is damaged, incomplete, or none of ours, or there is no room for it.
        """
        if not path.is_file():
            raise AscError(path, "no such file", "write one with `asc workspace export`")
        try:
            found = _unpack(path, folder)
        except _DAMAGED as error:
            raise AscError(path, f"is damaged, or no archive ({error})", _REMEDY) from None
        except OSError as error:  # gzip's own error is one as well
            what = f"cannot be unpacked to {folder} ({error.strerror or error})"
            raise AscError(path, what, f"free some space, or {_REMEDY}") from None
        return cls(path, folder, _checked(path, folder, found))

    def names(self, beginning: str, ending: str = "") -> list[str]:
        """The names of the files that begin and end so, sorted."""
        return sorted(name for name in self.manifest.files if name.startswith(beginning) and name.endswith(ending))

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            AscError: if there is none of that name.
        """
        if name not in self.manifest.files:
            raise AscError(self.path, f"lacks {name}", _REMEDY)
        return (self.folder / name).read_bytes()

    def digest(self, beginning: str) -> str:
        """The digest of all files whose names begin so."""
        state = hashlib.sha256()
        for name in self.names(beginning):
            state.update(f"{name} {self.manifest.files[name].sha256}\n".encode())
        return state.hexdigest()[:32]


def _unpack(path: Path, folder: Path) -> dict[str, FileEntry]:
    """Write the members into the folder; what they are, by name."""
    found: dict[str, FileEntry] = {}
    total = path.stat().st_size
    with (
        path.open("rb") as file,
        tarfile.open(fileobj=file, mode="r|*") as opened,
        progress(total // _MB, f"checking {path.name}", "MB") as advance,
    ):
        at = 0
        for member in opened:
            if member.type != tarfile.REGTYPE or not is_inside(member.name) or member.name in found:
                raise tarfile.TarError(f"member {member.name[:100]!r} is none of an export")
            if member.size > shutil.disk_usage(folder).free:
                raise OSError(28, "no space left")
            found[member.name] = _write_member(opened, member, folder / member.name)
            at, before = file.tell() // _MB, at
            if at > before:
                advance(at - before)
    return found


def _write_member(opened: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> FileEntry:
    content = opened.extractfile(member)
    assert content is not None  # it is a regular file
    target.parent.mkdir(parents=True, exist_ok=True)
    hashing = Hashing(content)
    with target.open("xb") as file:
        shutil.copyfileobj(hashing, file, _PIECE)
    return FileEntry(sha256=hashing.digest(), size=member.size)


def _checked(path: Path, folder: Path, found: dict[str, FileEntry]) -> Manifest:
    """The manifest, if every file is as it says and there is no other.

    Raises:
        AscError: if not.
    """
    if MANIFEST not in found or SEAL not in found:
        raise AscError(path, "is not whole: it ends before its manifest", _REMEDY)
    text = (folder / MANIFEST).read_bytes()
    if hashlib.sha256(text).hexdigest().encode() != (folder / SEAL).read_bytes():
        raise AscError(path, "is damaged: its manifest is not what was written", _REMEDY)
    manifest = Manifest.read(text, f"{path}: {MANIFEST}")
    files = {name: entry for name, entry in found.items() if name not in (MANIFEST, SEAL)}
    for name in sorted(files.keys() | manifest.files.keys()):
        if name not in files:
            raise AscError(path, f"is not whole: {name} is missing", _REMEDY)
        if files[name] != manifest.files.get(name):
            raise AscError(path, f"is damaged: {name} is not what was written", _REMEDY)
    return manifest
