"""The WaveformStore: every clip of the fold decoded once, as memory-mapped int16 at 32 kHz.

A store is a folder named after the content of its clips::

    <cache>/waveforms/<key>/waveforms.int16    clips × samples, row i is clip i of the corpus
    <cache>/waveforms/<key>/store.json         shape, and the checksum of the other file
    <cache>/waveforms/<key>/checked.json       the boot and the state of the file in which that checksum last held

It is built under another name and renamed when whole, so that an interrupted build leaves nothing half-written. A small
table remembers the digests of each corpus's clips for as long as their files' sizes and times are the same, so that an
unchanged corpus is recognised without reading its audio; a smaller one remembers what follows from them where its
tables are the same too. The waveforms themselves are read once per boot, and whenever their file was touched, to check
that they are what was written; else they are prepared again.
"""

from __future__ import annotations

import json
import os
import shutil
from array import array
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from asc_experiments.base.errors import AscError, ProblemsError
from asc_experiments.base.hashing import JoinedChecksum, checksum_file, digest_bytes, digest_json
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
        state = _State.of(corpus)
        known = _known(corpus, cache, state)
        store = None if known is None else _open(cache, known)
        if store is None:
            known = _Known.of(corpus, _build(corpus, cache, workers), state)
            try:
                known.remember(corpus, cache)
            except OSError as error:
                raise _no_room(cache, error) from None
            store = _open(cache, known)
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
        checksum = _joined(decoded)
        shape = {"clips": len(digests), "samples": samples, "sample_rate": SAMPLE_RATE}
        (partial / _INFO).write_text(json.dumps({"format": _FORMAT, "checksum": checksum, **shape}))
        _note_whole(partial, checksum)
        target = cache / "waveforms" / _store_key(digests)
        with FileLock(lock_path(cache, f"waveforms-{target.name}")):  # another folder may hold the same clips
            if _mapped(target) is None:
                shutil.rmtree(target, ignore_errors=True)
                partial.rename(target)
    except OSError as error:
        raise _no_room(cache, error) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    say(f"prepared {len(digests)} clips of {samples / SAMPLE_RATE:g} s at {SAMPLE_RATE} Hz")
    return digests


def _no_room(cache: Path, error: OSError) -> AscError:
    return AscError(cache, f"the waveforms cannot be stored ({error.strerror})", "free some space there")


def _joined(decoded: Sequence[Decoded]) -> int:
    """The checksum of all that was written."""
    joined = JoinedChecksum(2 * decoded[0].samples)
    for clip in decoded:
        joined.add(clip.checksum)
    return joined.value


def _open(cache: Path, known: _Known) -> WaveformStore | None:
    path = cache / "waveforms" / known.store
    waveforms = _mapped(path)
    return None if waveforms is None else WaveformStore(waveforms, known.corpus, path)


def _mapped(path: Path) -> np.ndarray | None:
    """The waveforms of a store's folder; None where there are none, or no whole ones."""
    try:
        info = json.loads((path / _INFO).read_text())
        shape = (info["clips"], info["samples"])
        if info["format"] != _FORMAT or not _is_whole(path, info["checksum"], 2 * shape[0] * shape[1]):
            raise ValueError("not what was written")
        return np.memmap(path / _DATA, dtype=np.int16, mode="r", shape=shape)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        say(f"{path}: the prepared waveforms are damaged; they are prepared again")
        return None


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
    clips = corpus.columns
    said = (clips.filenames, *(each.texts() for each in (clips.scenes, clips.places, clips.devices)))
    rows = [[*each, digest] for *each, digest in zip(*said, digests, strict=True)]
    content = {"n_train": corpus.n_train, "clips": rows}
    if clips.tell is not recording_of:
        recordings = [[clip.recording, clip.position] for clip in clips]
        if any(tuple(told) != recording_of(*each) for told, *each in zip(recordings, *said, strict=True)):
            content["recordings"] = recordings
    return digest_json(content)


def _store_key(digests: list[str]) -> str:
    return digest_json([_FORMAT, SAMPLE_RATE, digests])


def _place(corpus: Corpus) -> str:
    return digest_bytes(os.fsencode(corpus.root.resolve()), 16)


@dataclass(frozen=True)
class _State:
    """What a corpus is without a look into its sounds: digests of what its tables say, and of its files' sizes and
    times; and the latter themselves, ``(clips, 2)`` int64.
    """

    index: str
    stamps: str
    of_clips: np.ndarray

    @classmethod
    def of(cls, corpus: Corpus) -> _State:
        clips = corpus.columns
        names = "\0".join(clips.filenames).encode("utf-8", "surrogatepass")
        of_clips = _stamps(corpus)
        parts = [names, str(corpus.n_train).encode()]
        for column in (clips.scenes, clips.places, clips.devices):
            parts += [json.dumps(column.names).encode(), column.codes.tobytes()]
        if clips.tell is not recording_of:
            parts.append(json.dumps([[clip.recording, clip.position] for clip in clips]).encode())
        index = digest_json([digest_bytes(part) for part in parts])
        return cls(index, digest_json([digest_bytes(names), digest_bytes(of_clips.tobytes())]), of_clips)


def _stamps(corpus: Corpus) -> np.ndarray:
    """Size and modification time of each clip's file, ``(clips, 2)`` int64; -1 where there is none."""
    root, stamps = os.fspath(corpus.root), array("q")
    for name in corpus.filenames:
        try:
            status = os.stat(f"{root}/{name}")
            stamps.extend((status.st_size, status.st_mtime_ns))
        except OSError:
            stamps.extend((-1, -1))
    return np.frombuffer(stamps, dtype=np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class _Known:
    """What is remembered of a corpus: in which state it was, the name of its store, the digest of its content."""

    state: tuple[str, str]
    store: str
    corpus: str
    digests: tuple[str, ...] = ()
    """Those of the clips' files, where they are known."""

    @classmethod
    def of(cls, corpus: Corpus, digests: list[str], state: _State) -> _Known:
        """Of a corpus whose clips' digests are known, which for TAU22 takes a second."""
        content = corpus_digest(corpus, digests)
        return cls((state.index, state.stamps), _store_key(digests), content, tuple(digests))

    def remember(self, corpus: Corpus, cache: Path) -> None:
        """Remember it for the next time."""
        _write_whole(_table(corpus, cache), {"stamps": self.state[1], "digests": self.digests})
        _write_whole(_opened(corpus, cache), {"state": self.state, "store": self.store, "corpus": self.corpus})


def _known(corpus: Corpus, cache: Path, state: _State) -> _Known | None:
    """What is remembered of a corpus, or follows from that: of one of which nothing has changed, all; of one whose
    tables alone have, the digests of its clips. None where clips have.
    """
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(_opened(corpus, cache).read_text())
        if tuple(found["state"]) == (state.index, state.stamps):
            return _Known((state.index, state.stamps), str(found["store"]), str(found["corpus"]))
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(_table(corpus, cache).read_text())
        stamps: object = state.stamps
        if isinstance(found["stamps"], list):  # an earlier version wrote them down one by one
            stamps = [[name, *of] for name, of in zip(corpus.filenames, state.of_clips.tolist(), strict=True)]
        if found["stamps"] == stamps and len(found["digests"]) == len(corpus.clips):
            known = _Known.of(corpus, found["digests"], state)
            with suppress(OSError):  # a cache that is only read
                known.remember(corpus, cache)
            return known
    return None


def _table(corpus: Corpus, cache: Path) -> Path:
    """Where the digests of a corpus's clips are remembered."""
    return cache / "waveforms" / f"{_place(corpus)}.json"


def _opened(corpus: Corpus, cache: Path) -> Path:
    """Where it is remembered as what a corpus was opened."""
    return cache / "waveforms" / f"{_place(corpus)}.opened.json"


def _write_whole(path: Path, content: dict[str, object]) -> None:
    partial = path.with_suffix(".partial-json")
    partial.write_text(json.dumps(content))
    partial.replace(path)
