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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from asc_experiments.base.errors import AscError, ProblemsError
from asc_experiments.base.hashing import checksum_file, digest_bytes, digest_json
from asc_experiments.base.locks import lock_path
from asc_experiments.base.ownership import this_boot
from asc_experiments.base.progress import progress, say
from asc_experiments.corpus.audio import SAMPLE_RATE
from asc_experiments.corpus.decoding import Decoded, decode_all, uneven
from asc_experiments.corpus.index import Corpus
from asc_experiments.corpus.readers.tau import recording_of

_FORMAT = 1
_DATA, _INFO, _CHECKED = "waveforms.int16", "store.json", "checked.json"


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


def prepare(corpus: Corpus, cache: Path, workers: int | None = None) -> WaveformStore:
    """Open a corpus's waveform store, decoding and resampling the clips first where that has not been done.

    Args:
        corpus: the corpus.
        cache: the folder of all stores.
        workers: how many clips to decode at a time; as many as there are processors by default.

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
            digests = _build(corpus, cache, workers)
            _remember(corpus, cache, stamps, digests)
            store = _open(corpus, cache, digests)
        assert store is not None
    return store


def _build(corpus: Corpus, cache: Path, workers: int | None) -> list[str]:
    """Decode into a partial folder, rename it to its content's name, and return the digest of each clip."""
    partial = cache / "waveforms" / f"{_place(corpus)}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    decoded: list[Decoded] = []
    try:
        with progress(len(corpus.clips), "preparing", "clips") as advance:
            for clip in decode_all(corpus.root, corpus.filenames, partial / _DATA, workers):
                decoded.append(clip)
                advance()
        problems = [clip.problem for clip in decoded if clip.problem] + uneven(corpus.filenames, decoded)
        if problems:
            raise ProblemsError(problems, f"asc corpus check --deep {corpus.root}")
        digests, samples = [clip.digest for clip in decoded], decoded[0].samples
        checksum = checksum_file(partial / _DATA)
        shape = {"clips": len(digests), "samples": samples, "sample_rate": SAMPLE_RATE}
        (partial / _INFO).write_text(json.dumps({"format": _FORMAT, "checksum": checksum, **shape}))
        _note_whole(partial, checksum)
        target = cache / "waveforms" / _store_key(digests)
        with FileLock(lock_path(cache, f"waveforms-{target.name}")):  # another folder may hold the same clips
            if _open(corpus, cache, digests) is None:
                shutil.rmtree(target, ignore_errors=True)
                partial.rename(target)
    except OSError as error:
        raise AscError(cache, f"the waveforms cannot be stored ({error.strerror})", "free some space there") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    say(f"prepared {len(digests)} clips of {samples / SAMPLE_RATE:g} s at {SAMPLE_RATE} Hz")
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
    if (path / _DATA).stat().st_size != size:
        return False
    with suppress(OSError, ValueError):
        if json.loads((path / _CHECKED).read_text()) == _state(path, checksum):
            return True
    if checksum_file(path / _DATA) != checksum:
        return False
    with suppress(OSError):  # a cache that is only read: it is checked again
        _note_whole(path, checksum)
    return True


def _note_whole(path: Path, checksum: int) -> None:
    """Remember that the file as it is now has this checksum."""
    partial = path / f"{_CHECKED}.{os.getpid()}"
    partial.write_text(json.dumps(_state(path, checksum)))
    partial.replace(path / _CHECKED)


def _state(path: Path, checksum: int) -> list[object]:
    status = (path / _DATA).stat()
    return [this_boot(), checksum, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]


def corpus_digest(corpus: Corpus, digests: list[str]) -> str:
    """The digest of a corpus's content: clip ids, scenes, places, devices, fold, recordings, and audio bytes.

    Recordings count where they are others than TAU22's names tell: those are in the ids already.
    """
    clips = corpus.clips
    rows = [[c.filename, c.scene, c.place, c.device, digest] for c, digest in zip(clips, digests, strict=True)]
    content = {"n_train": corpus.n_train, "clips": rows}
    if any((c.recording, c.position) != recording_of(c.filename, c.scene, c.place, c.device) for c in clips):
        content["recordings"] = [[c.recording, c.position] for c in clips]
    return digest_json(content)


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
