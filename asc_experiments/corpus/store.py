"""The WaveformStore: every clip of the fold decoded once, as memory-mapped int16 at 32 kHz.

A store is a folder named after the content of its clips::

    <cache>/waveforms/<key>/waveforms.int16    clips × samples, row i is clip i of the corpus
    <cache>/waveforms/<key>/store.json         shape, and the checksum of the other file
    <cache>/waveforms/<key>/checked.json       the boot and the state of the file in which that checksum last held

It is built under another name and renamed when whole, so that an interrupted build leaves nothing half-written. A small
table of file sizes and times remembers each corpus's digests, so that an unchanged corpus is recognised without
reading its audio. The waveforms themselves are read once per boot, and whenever their file was touched, to check that
they are what was written; else they are prepared again.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from asc_experiments.base.errors import AscError, Problem, ProblemsError
from asc_experiments.base.hashing import checksum_file, digest_bytes, digest_json
from asc_experiments.base.locks import lock_path
from asc_experiments.base.ownership import this_boot
from asc_experiments.base.progress import progress, say
from asc_experiments.corpus.audio import SAMPLE_RATE, read_clip
from asc_experiments.corpus.index import Corpus

_FORMAT = 1
_DATA, _INFO, _CHECKED = "waveforms.int16", "store.json", "checked.json"
_CLIPS_PER_TASK = 16
"""Enough that threads seldom wait for each other, and few to hold in memory."""


@dataclass(frozen=True, eq=False)
class WaveformStore:
    """The decoded clips of one corpus.

    Attributes:
        waveforms: ``(clips, samples)`` int16 at 32 kHz, memory-mapped, read-only; row i is clip i of the corpus.
        corpus_digest: names everything that matters in the corpus: ids, labels, locations, devices, fold, audio.
        path: the store's folder.
    """

    waveforms: np.ndarray
    corpus_digest: str
    path: Path


def prepare(corpus: Corpus, cache: Path, threads: int | None = None) -> WaveformStore:
    """Open a corpus's waveform store, decoding and resampling the clips first where that has not been done.

    Args:
        corpus: the corpus.
        cache: the folder of all stores.
        threads: how many clips to decode at a time; all processors by default.

    Raises:
        ProblemsError: if a clip is missing or broken.
        AscError: if clips differ in length or the cache cannot be written.
    """
    try:
        (cache / "waveforms").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AscError(cache, f"cannot be written ({error.strerror})", "give another --workspace") from None
    with FileLock(lock_path(cache, f"waveforms-{_place(corpus)}")):
        stamps = _stamps(corpus)
        digests = _remembered(corpus, cache, stamps)
        store = _open(corpus, cache, digests) if digests else None
        if store is None:
            digests = _build(corpus, cache, threads or os.cpu_count() or 1)
            _remember(corpus, cache, stamps, digests)
            store = _open(corpus, cache, digests)
        assert store is not None
    return store


def decode_all(corpus: Corpus, threads: int) -> Iterator[tuple[int, np.ndarray | None, Problem | None, str]]:
    """Decode every clip in parallel, in order, holding only a few in memory.

    Yields:
        Row, samples ``(samples,)`` int16 or None, problem or None, and the digest of the file.
    """
    names = corpus.filenames
    pieces = [names[first : first + _CLIPS_PER_TASK] for first in range(0, len(names), _CLIPS_PER_TASK)]
    ahead = 2 * threads  # tasks; what is decoded waits until its turn

    def read(piece: tuple[str, ...]) -> list[tuple[np.ndarray | None, Problem | None, str]]:
        return [read_clip(corpus.root, name) for name in piece]

    with ThreadPoolExecutor(threads) as pool:
        waiting = deque(pool.submit(read, piece) for piece in pieces[:ahead])
        try:
            for number in range(len(pieces)):
                results = waiting.popleft().result()
                if number + ahead < len(pieces):
                    waiting.append(pool.submit(read, pieces[number + ahead]))
                for place, result in enumerate(results):
                    yield number * _CLIPS_PER_TASK + place, *result
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def length_problem(filename: str, samples: int, expected: int) -> Problem:
    """The problem of a clip whose length differs from the first clip's (both in samples at 32 kHz)."""
    what = f"lasts {samples / SAMPLE_RATE:.3f} s, the first clip {expected / SAMPLE_RATE:.3f} s"
    return Problem(filename, what, "cut or drop it: all clips of a corpus have one length")


def _build(corpus: Corpus, cache: Path, threads: int) -> list[str]:
    """Decode into a partial folder, rename it to its content's name, and return the digest of each clip."""
    partial = cache / "waveforms" / f"{_place(corpus)}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    digests: list[str] = []
    problems: list[Problem] = []
    checksum = 0
    try:
        with (partial / _DATA).open("wb") as file, progress(len(corpus.clips), "preparing", "clips") as advance:
            expected = 0
            for row, samples, problem, digest in decode_all(corpus, threads):
                if samples is not None:
                    expected = expected or len(samples)
                    if len(samples) != expected:
                        problem = length_problem(corpus.filenames[row], len(samples), expected)
                    file.write(samples.data)
                    checksum = zlib.crc32(samples.data, checksum)
                if problem:
                    problems.append(problem)
                digests.append(digest)
                advance()
        if problems:
            raise ProblemsError(problems, f"asc corpus check {corpus.root}")
        shape = {"clips": len(digests), "samples": expected, "sample_rate": SAMPLE_RATE}
        info = {"format": _FORMAT, "checksum": checksum, **shape}
        (partial / _INFO).write_text(json.dumps(info))
        target = cache / "waveforms" / _store_key(digests)
        with FileLock(lock_path(cache, f"waveforms-{target.name}")):  # another folder may hold the same clips
            if _open(corpus, cache, digests) is None:
                shutil.rmtree(target, ignore_errors=True)
                partial.rename(target)
    except OSError as error:
        raise AscError(cache, f"the waveforms cannot be stored ({error.strerror})", "free some space there") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    say(f"prepared {len(digests)} clips of {expected / SAMPLE_RATE:g} s at {SAMPLE_RATE} Hz")
    return digests


def _open(corpus: Corpus, cache: Path, digests: list[str]) -> WaveformStore | None:
    path = cache / "waveforms" / _store_key(digests)
    try:
        info = json.loads((path / _INFO).read_text())
        shape = (info["clips"], info["samples"])
        if info["format"] != _FORMAT or not _is_whole(path, info["checksum"], 2 * shape[0] * shape[1]):
            raise ValueError("not what was written")
        waveforms = np.memmap(path / _DATA, dtype=np.int16, mode="r", shape=shape)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        say(f"{path}: the prepared waveforms are damaged; they are prepared again")
        return None
    return WaveformStore(waveforms, corpus_digest(corpus, digests), path)


def _is_whole(path: Path, checksum: int, size: int) -> bool:
    """Whether a store's waveforms are those that were written; read where that is not known of this very file."""
    status = (path / _DATA).stat()
    if status.st_size != size:
        return False
    state = [this_boot(), checksum, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]
    with suppress(OSError, ValueError):
        if json.loads((path / _CHECKED).read_text()) == state:
            return True
    if checksum_file(path / _DATA) != checksum:
        return False
    with suppress(OSError):  # a cache that is only read: it is checked again
        partial = path / f"{_CHECKED}.{os.getpid()}"
        partial.write_text(json.dumps(state))
        partial.replace(path / _CHECKED)
    return True


def corpus_digest(corpus: Corpus, digests: list[str]) -> str:
    """The digest of a corpus's content: clip ids, scenes, locations, devices, fold, and audio bytes."""
    rows = [[c.filename, c.scene, c.identifier, c.device, d] for c, d in zip(corpus.clips, digests, strict=True)]
    return digest_json({"n_train": corpus.n_train, "clips": rows})


def _store_key(digests: list[str]) -> str:
    return digest_json([_FORMAT, SAMPLE_RATE, digests])


def _place(corpus: Corpus) -> str:
    return digest_bytes(os.fsencode(corpus.root.resolve()), 16)


def _stamps(corpus: Corpus) -> list[list[object]]:
    """Name, size and modification time of each clip's file."""
    stamps: list[list[object]] = []
    for name in corpus.filenames:
        try:
            status = os.stat(corpus.root / name)
            stamps.append([name, status.st_size, status.st_mtime_ns])
        except OSError:
            stamps.append([name, -1, -1])
    return stamps


def _remembered(corpus: Corpus, cache: Path, stamps: list[list[object]]) -> list[str] | None:
    try:
        known = json.loads((cache / "waveforms" / f"{_place(corpus)}.json").read_text())
        return known["digests"] if known["stamps"] == stamps else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(corpus: Corpus, cache: Path, stamps: list[list[object]], digests: list[str]) -> None:
    path = cache / "waveforms" / f"{_place(corpus)}.json"
    partial = path.with_suffix(".partial-json")
    partial.write_text(json.dumps({"stamps": stamps, "digests": digests}))
    partial.replace(path)
