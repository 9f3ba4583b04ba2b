"""Fetch a published corpus: each archive is downloaded, checked, unpacked and removed, and is not fetched again.

::

    DIR/archives/<archive>.zip.part    what has arrived of the archive in hand
    DIR/archives/fetched.json          the checksum of each archive that is unpacked
    DIR/…                              the corpus; its tables come last, so that half a corpus does not look like one
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from asc_experiments.base.download import RemoteFile, download
from asc_experiments.base.errors import AscError, nearest
from asc_experiments.base.hashing import digest_bytes
from asc_experiments.base.locks import lock_path
from asc_experiments.base.progress import say
from asc_experiments.corpus.archive import unpack
from asc_experiments.corpus.index import Corpus

ARCHIVES, FETCHED = "archives", "fetched.json"
_UNPACKED = 1.15
"""Recordings are about so many times as large as their zip archive."""


@dataclass(frozen=True)
class Archive:
    """One zip archive: its name, its checksum as ``md5:…``, and about how many bytes it has."""

    name: str
    checksum: str
    size: int


@dataclass(frozen=True)
class PublishedCorpus:
    """A corpus that can be fetched.

    Attributes:
        title: its full name and terms, for people.
        url: an archive's address, with ``{name}`` for its name.
        top: the folder that all members of all archives lie in; it becomes the corpus folder.
        archives: in the order in which they are fetched: the one with ``meta.csv`` last.
    """

    title: str
    url: str
    top: str
    archives: tuple[Archive, ...]


_TAU22 = "TAU-urban-acoustic-scenes-2022-mobile-development"
_TAU22_AUDIO_MD5 = (
    "8be14bdbd844481dce059ab31fbd2239", "e821abda49b069248bb75eab39df7575", "9c7897f78bb42ca0008936daddf3f8f3",
    "53ec3e37c0fc0be75f53c5abbc5300b8", "528422c33c5d10263203d2c61cb1f3be", "4759a9465c903e13e57d5e82e791fc28",
    "6d545fc83a55a17856a9ccc1ac9aff6b", "3a2916a9b5d3f43cc7a22a62b180b0d9", "071f664c86639ad730f7be4e3c39d886",
    "e0839d019e9b77ecbcbb0eff85965530", "fc60f1c83726be3963ae14fbcb95eeb4", "02246547f86c0a814dc63ec65d7033bb",
    "88ae9ef884665140d1572d8061725e00", "c3f400d74ae90e5190dc518cde43de47", "85594c6fe4f91c10aa2a410f748103b8",
    "6e2df8438c69f6789414aeba8cbad9d8",
)  # fmt: skip
_TAU22_META_MD5 = "419b6ff6570f1030730352dc80cd8d15"
_TAU22_SIZES = (*15 * (1_800_000_000,), 440_000_000)

KNOWN = {
    "tau2022-mobile": PublishedCorpus(
        title="TAU Urban Acoustic Scenes 2022 Mobile, development set (doi.org/10.5281/zenodo.6337421; not for "
        "commercial use)",
        url="https://zenodo.org/records/6337421/files/{name}?download=1",
        top=_TAU22,
        archives=(
            *(
                Archive(f"{_TAU22}.audio.{number}.zip", f"md5:{digits}", size)
                for number, (digits, size) in enumerate(zip(_TAU22_AUDIO_MD5, _TAU22_SIZES, strict=True), start=1)
            ),
            Archive(f"{_TAU22}.meta.zip", f"md5:{_TAU22_META_MD5}", 5_000_000),
        ),
    )
}
"""Every corpus that can be fetched, by the name to ask for it."""


def published_corpus(name: str) -> PublishedCorpus:
    """The published corpus of this name.

    Raises:
        AscError: if there is none.
    """
    if name not in KNOWN:
        raise AscError(f"corpus '{name}'", "is none that can be fetched", nearest(name, KNOWN))
    return KNOWN[name]


def fetch_corpus(
    published: PublishedCorpus, folder: Path, cache: Path, mirror: str | None = None, keep_archives: bool = False
) -> Corpus:
    """Fetch a published corpus into a folder, resuming where an earlier call ended; does nothing where it is complete.

    Args:
        published: what to fetch.
        folder: becomes the corpus folder; new, or of an earlier call.
        cache: folder of locks.
        mirror: address of a folder that holds the same archives; the publisher's by default.
        keep_archives: keep each archive after it was unpacked.

    Raises:
        AscError: if the folder is in use or the disk too small, or an archive cannot be fetched, checked or unpacked.
        ProblemsError: if the tables that arrived are no corpus.
    """
    _refuse_folder_in_use(folder)
    place = digest_bytes(os.fsencode(folder.resolve()), 16)
    with FileLock(lock_path(cache, f"fetch-{place}")):
        fetched = _fetched(folder)
        left = [archive for archive in published.archives if fetched.get(archive.name) != archive.checksum]
        if left:
            say(published.title)
        _check_room(left, folder, keep_archives)
        for archive in left:
            number = published.archives.index(archive) + 1
            title = f"archive {number} of {len(published.archives)}"
            url = f"{mirror.rstrip('/')}/{archive.name}" if mirror else published.url.format(name=archive.name)
            path = folder / ARCHIVES / archive.name
            download(RemoteFile(url, archive.checksum), path, f"fetching {title}")
            unpack(path, folder, published.top, f"unpacking {title}")
            fetched[archive.name] = archive.checksum
            _remember(folder, fetched)
            if not keep_archives:
                path.unlink()
    return Corpus.open(folder)


def _refuse_folder_in_use(folder: Path) -> None:
    """Nothing is unpacked over files that this command did not write."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not (folder / ARCHIVES).is_dir():
        raise AscError(folder, "already exists and is not empty", "give a new folder")


def _check_room(left: Sequence[Archive], folder: Path, keep_archives: bool) -> None:
    """Raise where the disk is too small for what is left: the recordings, and one archive or all of them."""
    sizes = [archive.size for archive in left]
    archives = sum(sizes) if keep_archives else max(sizes, default=0)
    found = [path for archive in left for path in (folder / ARCHIVES).glob(f"{archive.name}*")]  # or its part
    arrived = sum(path.stat().st_size for path in found)
    needed = _UNPACKED * sum(sizes) + max(0, archives - arrived)
    place = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if left and needed > free:
        what = f"about {needed / 1e9:.0f} GB are needed, and {free / 1e9:.0f} GB are free"
        raise AscError(folder, what, "free some space, or give a folder on another disk")


def _fetched(folder: Path) -> dict[str, str]:
    """The checksums of the archives that are unpacked, by their names."""
    try:
        known = json.loads((folder / ARCHIVES / FETCHED).read_text())
    except (OSError, ValueError):
        return {}
    return dict(known) if isinstance(known, dict) else {}


def _remember(folder: Path, fetched: dict[str, str]) -> None:
    path = folder / ARCHIVES / FETCHED
    partial = path.with_suffix(".partial")
    try:
        partial.write_text(json.dumps(fetched, indent=1))
        partial.replace(path)
    except OSError as error:
        what = f"cannot be written ({error.strerror})"
        raise AscError(path, what, "free some space; the same command resumes") from None
