"""Decode clips with all processors: threads where there are few, processes of their own where there are many.

A third of a clip's time goes by under the interpreter's lock, which processes do not share; starting them takes a
second or two, in which threads decode thousands. What is decoded is written by whoever decoded it, and not sent.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import groupby, islice, repeat
from pathlib import Path

from asc_experiments.base.errors import AscError, Problem
from asc_experiments.base.processors import end_with_parent, processors
from asc_experiments.corpus.audio import SAMPLE_RATE, length_by_header, read_ahead, read_clip

_CLIPS_PER_TASK, _HEADERS_PER_TASK = 16, 256
_TASKS_AHEAD = 3
"""Of each worker, those included that are worked at; the files of the others are read from the disk meanwhile."""
_BYTES_PER_WRITE = 1 << 22
"""What is written together at most, a clip more: of clips of half an hour 16 would take gigabytes."""
_ENOUGH_FOR_PROCESSES = 10_000
_Task = tuple[Path, Sequence[str], int, int, Path | None]


@dataclass(frozen=True)
class Decoded:
    """What is known of a clip that was read.

    Attributes:
        samples: at 32 kHz; zero where the clip is broken.
        digest: of the file.
        problem: what is wrong with it by itself, or None; how long the others are, :func:`uneven` says.
        peak: the largest absolute sample of the file, where 1 is full scale; 1 where it cannot be more.
        checksum: the CRC-32 of what was written of it; 0 where nothing was.
    """

    samples: int
    digest: str
    problem: Problem | None
    peak: float = 1.0
    checksum: int = 0


def decode_all(
    root: Path,
    names: Sequence[str],
    into: Path | None = None,
    workers: int | None = None,
    in_processes: bool | None = None,
) -> Iterator[Decoded]:
    """Decode and resample every clip, in order; written are those that last as long as the first one that is whole.

    Args:
        root: the corpus's folder.
        names: the clips' files.
        into: a file that takes ``(clips, samples)`` int16; None where only the problems are asked for.
        workers: how many clips at a time; as many as there are processors by default.
        in_processes: whether each worker is a process, else a thread; by how many clips there are by default.

    Raises:
        AscError: if a worker was killed.
        OSError: if the file cannot be written.
    """
    pieces = [names[first : first + _CLIPS_PER_TASK] for first in range(0, len(names), _CLIPS_PER_TASK)]
    length, done = 0, 0
    if into is not None:
        into.touch()
    while not length and done < len(pieces):  # here, as a rule one piece: the others need to know the length
        decoded, length = _decode(root, pieces[done], done * _CLIPS_PER_TASK, 0, into)
        yield from decoded
        done += 1
    if in_processes is None:
        in_processes = len(names) >= _ENOUGH_FOR_PROCESSES
    workers = workers or processors()
    with _pool(workers, in_processes) as pool:
        tasks = ((root, piece, number * _CLIPS_PER_TASK, length, into) for number, piece in enumerate(pieces))
        remaining = islice(tasks, done, None)
        waiting: deque[Future[tuple[list[Decoded], int]]] = deque()

        def submit(tasks: Iterable[_Task]) -> None:
            for task in tasks:
                read_ahead(*task[:2])
                waiting.append(pool.submit(_decode, *task))

        try:
            submit(islice(remaining, _TASKS_AHEAD * workers))
            while waiting:
                decoded, _ = waiting.popleft().result()
                submit(islice(remaining, 1))
                yield from decoded
        except BrokenProcessPool:
            raise _killed(root) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def measure_all(root: Path, names: Sequence[str]) -> Iterator[Decoded]:
    """What headers say of every clip, in order: lengths and problems, without digests; most of a file is not read.

    Args:
        root: the corpus's folder.
        names: the clips' files.

    Raises:
        AscError: if a worker was killed.
    """
    pieces = [names[first : first + _HEADERS_PER_TASK] for first in range(0, len(names), _HEADERS_PER_TASK)]
    with _pool(processors(), len(names) >= _ENOUGH_FOR_PROCESSES) as pool:
        try:
            for measured in pool.map(_measure, repeat(root), pieces):
                yield from measured
        except BrokenProcessPool:
            raise _killed(root) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _measure(root: Path, names: Sequence[str]) -> list[Decoded]:
    found = [length_by_header(root, name) for name in names]
    return [Decoded(0, "", length) if isinstance(length, Problem) else Decoded(length, "", None) for length in found]


def _killed(root: Path) -> AscError:
    remedy = "is there enough memory? The same command begins again"
    return AscError(root, "a process that decoded clips was killed", remedy)


def _decode(
    root: Path, names: Sequence[str], first_row: int, length: int, into: Path | None
) -> tuple[list[Decoded], int]:
    """Decode a few clips and write those of the right length where they belong; and what that length is.

    Args:
        root: the corpus's folder.
        names: the clips' files.
        first_row: the first clip's.
        length: of all clips, in samples; zero where that is still to be found.
        into: the file, or None.
    """
    decoded: list[Decoded] = []
    whole: dict[int, memoryview] = {}
    for row, name in enumerate(names, first_row):
        samples, problem, digest, peak = read_clip(root, name)
        count = 0 if samples is None else len(samples)
        length = length or count
        checksum = 0
        if samples is not None and into is not None and count == length:
            whole[row] = samples.data.cast("B")
            checksum = zlib.crc32(whole[row])
            if len(whole) * whole[row].nbytes >= _BYTES_PER_WRITE:
                _write(into, whole)
                whole = {}
        decoded.append(Decoded(count, digest, problem, peak, checksum))
    if into is not None and whole:
        _write(into, whole)
    return decoded, length


def uneven(names: Sequence[str], decoded: Sequence[Decoded]) -> list[Problem]:
    """The clips that do not last as long as most do: all clips of a corpus have one length.

    Args:
        names: the clips' files.
        decoded: what is known of each.
    """
    lengths = Counter(clip.samples for clip in decoded if clip.problem is None)
    if len(lengths) < 2:
        return []
    (usual, count), *_ = lengths.most_common(1)
    others = f"{count} of {lengths.total()} clips {_lasting(usual)}"
    remedy = "cut or drop it: all clips of a corpus have one length (asc corpus import cuts recordings)"
    return [
        Problem(name, f"lasts {_lasting(clip.samples)}, {others}", remedy)
        for name, clip in zip(names, decoded, strict=True)
        if clip.problem is None and clip.samples != usual
    ]


def _lasting(samples: int) -> str:
    return f"{samples / SAMPLE_RATE:.3f} s ({samples:,} samples at 32 kHz)"


def _write(path: Path, rows: Mapping[int, memoryview]) -> None:
    """Write rows of one length where they belong in a file, neighbours together: a file system has work per write."""
    file = os.open(path, os.O_WRONLY)
    try:
        for _, run in groupby(enumerate(rows), key=lambda each: each[1] - each[0]):
            neighbours = [row for _, row in run]
            left = memoryview(b"".join(rows[row] for row in neighbours))
            at = neighbours[0] * rows[neighbours[0]].nbytes
            while left:
                written = os.pwrite(file, left, at)
                left, at = left[written:], at + written
    finally:
        os.close(file)


def _pool(workers: int, in_processes: bool) -> Executor:
    if not in_processes:
        return ThreadPoolExecutor(workers)
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin)


def _begin() -> None:
    """Make a worker ready: Ctrl-C is for the process that waits for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
