"""Unpack a published zip archive: nothing leaves the folder, nothing is larger than the archive says, no bomb is."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import progress

_ENCRYPTED = 1
"""The bit of a member's flags that says so."""
_LARGEST_RATIO, _SMALL = 100, 10_000_000
"""How many times its own size an archive may unpack to (recordings: less than 3); smaller results are let through."""
# What zipfile raises of content that it cannot read; RuntimeError where a member asks for a password.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError)


def unpack(archive: Path, folder: Path, top: str, title: str) -> None:
    """Unpack an archive whose members all lie in one top folder, without that folder.

    Every member is looked at before the first is written. Files that are there already are written again.

    Args:
        archive: a zip file.
        folder: where to.
        top: the archive's top folder.
        title: what the progress bar says.

    Raises:
        AscError: if the archive is damaged, holds a member that is none of a corpus, or there is no room for it.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [(member, _inside(member, top, archive)) for member in opened.infolist()]
            files = [(member, path) for member, path in members if not member.is_dir()]
            _check_size(archive, folder, sum(member.file_size for member, _ in files))
            with progress(len(files), title, "files") as advance:
                for member, path in files:
                    target = folder / path
                    _make_place(target, folder, archive)
                    # zipfile stops at the declared size, and then finds the checksum wrong.
                    with opened.open(member) as source, target.open("wb") as file:
                        shutil.copyfileobj(source, file)
                    advance()
    except _DAMAGED as error:
        raise AscError(archive, f"is no whole zip archive ({error})", "remove it; it is fetched again") from None
    except OSError as error:
        what = f"cannot be unpacked to {folder} ({error.strerror or error})"
        raise AscError(archive, what, "free some space, or give a folder you may write to") from None


def _inside(member: zipfile.ZipInfo, top: str, archive: Path) -> PurePosixPath:
    """A member's path below the top folder.

    Raises:
        AscError: if it would lie elsewhere, or is neither file nor folder.
    """
    name = member.orig_filename  # what was written, before zipfile makes it fit this system
    parts = name.removesuffix("/").split("/")
    leaves = parts[0] != top or any(part in ("", ".", "..") or set(part) & set("\\:\0") for part in parts)
    if leaves or (len(parts) == 1 and not member.is_dir()):
        raise _refusal(archive, name, f"lies outside of {top}/")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):  # 0: written by a system that has no kinds
        raise _refusal(archive, name, "is a link or a device")
    if member.flag_bits & _ENCRYPTED:
        raise _refusal(archive, name, "is encrypted")
    return PurePosixPath(*parts[1:])


def _refusal(archive: Path, name: str, what: str) -> AscError:
    return AscError(archive, f"its member {name[:100]!r} {what}", "nothing was unpacked; ask those who published it")


def _make_place(target: Path, folder: Path, archive: Path) -> None:
    """Make the folder of a file; no link that lies there already leads the file elsewhere."""
    if target.is_symlink() or not target.parent.resolve().is_relative_to(folder.resolve()):
        what = f"cannot be unpacked: a link stands where {target} should be"
        raise AscError(archive, what, "remove the link, or give a new folder")
    target.parent.mkdir(parents=True, exist_ok=True)


def _check_size(archive: Path, folder: Path, size: int) -> None:
    packed = archive.stat().st_size
    if size > max(_SMALL, _LARGEST_RATIO * packed):
        what = f"unpacks to {size / packed:,.0f} times its size, which no recordings do"
        raise AscError(archive, what, "nothing was unpacked; ask those who published it")
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if size > free:
        what = f"unpacks to {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free in {folder}"
        raise AscError(archive, what, "free some space; the same command resumes")
