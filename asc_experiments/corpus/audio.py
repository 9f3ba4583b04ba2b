"""Decode one sound file, say what is wrong with it, resample it; a corpus's clips lie inside the corpus.

Files may come from anywhere: none is believed about its size before it is decoded, and no link leads out of a corpus.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import stat
import struct
import threading
import wave
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO, NamedTuple, cast

import numpy as np
import soundfile
import soxr

from asc_experiments.base.errors import Problem
from asc_experiments.base.hashing import digest_sound

SAMPLE_RATE = 32_000
"""The sampling rate of every frontend, in Hz (published systems, DCASE 2023)."""

MOST_SAMPLES, MOST_SAMPLES_OF_A_CLIP = 1 << 30, 1 << 26
"""What is decoded at most: nine hours at 32 kHz (4 GB as float32), of a clip half an hour."""
_MOST_BYTES_OF_A_CLIP = 1 << 29
SOUND_SUFFIXES = (
    ".wav", ".wave", ".bwf", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aif", ".aiff", ".aifc", ".au", ".snd",
    ".caf", ".w64", ".rf64", ".voc", ".sph", ".nist", ".sf",
)  # fmt: skip
"""How the names of files end that libsndfile reads and that hold nothing but sound."""
FULL_SCALE = 32767 / 32768
"""The loudest sample of 16 bits; the lowest is -1."""
_LOWEST, _HIGHEST = np.float32(-32768), np.float32(32767)
_UNKNOWN_FRAMES = (1 << 63) - 1
"""What libsndfile says of a FLAC file whose encoder wrote into a pipe, and did not know how long it would be."""
_UNKNOWN_BYTES = 0x7FFF0000
"""From here on a WAV header's size says that its writer did not know it: sox writes 0x7FFFF000 into a pipe, arecord
0x80000000, ffmpeg 0xFFFFFFFF. A file that really is so large is no clip."""
_FRAMES_AT_A_TIME = 1 << 16
_HEADER_BYTES = 4096
_USUAL_RATE = 384_000
"""A higher sampling rate is a damaged header's, of which libsndfile knows best what to think."""
_of_thread = threading.local()


def in_seconds(samples: int) -> str:
    """How long so many samples at 32 kHz last, as people read it: ``10 s``, ``0.5 s``."""
    return f"{samples / SAMPLE_RATE:g} s"


class _Bytes(io.BytesIO):
    """A file in memory for libsndfile, which damaged headers make seek to places that do not exist."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As files do; a place before the beginning is the beginning. (Else soundfile prints a traceback.)"""
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return super().seek(0)


class OpenSound(soundfile.SoundFile):
    """A sound file that is read from its beginning to its end, also where its header does not say how long it is."""

    def __init__(self, file: Path | BinaryIO) -> None:
        super().__init__(file)
        self.is_endless = self.frames == _UNKNOWN_FRAMES

    def seekable(self) -> bool:
        """Not where the end is unknown: soundfile would look for it, and libsndfile fails there."""
        return not self.__dict__.get("is_endless") and bool(super().seekable())

    def count_frames(self) -> int:
        """How many there are, which has to be read where the header does not say it; nothing is left to read then."""
        if not self.is_endless:
            return int(self.frames)
        counted = 0
        while block := len(self.read(_FRAMES_AT_A_TIME, dtype="float32", always_2d=True)):
            counted += block
        return counted


@dataclass(frozen=True, eq=False)
class _Decoded:
    """Samples ``(frames, channels)`` float32, the sampling rate in Hz, and how many frames the header promised."""

    samples: np.ndarray
    rate: int
    promised: int


def _decode(data: bytes, most: int) -> _Decoded:
    """Decode a sound file from memory.

    Args:
        data: the file.
        most: how many samples, of all channels together or resampled to 32 kHz, are decoded.

    Raises:
        soundfile.LibsndfileError: if the bytes are no sound file.
        OSError: if it claims to be longer, or is.
    """
    with OpenSound(_Bytes(data)) as file:
        rate, channels = file.samplerate, file.channels
        limit = min(most // max(1, channels), most * max(1, rate) // SAMPLE_RATE)
        frames = 0 if file.is_endless else file.frames
        if frames > limit:
            raise OSError(errno.EFBIG, f"claims to hold {frames:,} samples at {rate} Hz, which is too long")
        if not file.is_endless:
            samples = file.read(dtype="float32", always_2d=True)
            return _Decoded(samples, rate, promised_frames(data, frames))
        blocks = []
        while len(block := file.read(_FRAMES_AT_A_TIME, dtype="float32", always_2d=True)):
            blocks.append(block)
            frames += len(block)
            if frames > limit:
                raise OSError(errno.EFBIG, f"holds more than {limit:,} samples at {rate} Hz, which is too long")
        return _Decoded(np.concatenate(blocks or [np.empty((0, channels), np.float32)]), rate, frames)


def is_sound(path: PurePath) -> bool:
    """Whether a file is a sound file by its name; hidden ones are not: other systems keep notes in ``._clip.wav``."""
    return path.name.lower().endswith(SOUND_SUFFIXES) and not path.name.startswith(".")


def read_mono(data: bytes) -> tuple[np.ndarray, int]:
    """Decode a sound file from memory and average its channels.

    Returns:
        Samples ``(samples,)`` float32, as a rule in [-1, 1], and the sampling rate in Hz.

    Raises:
        soundfile.LibsndfileError: if the bytes are no sound file.
        OSError: if it claims to be longer than :data:`MOST_SAMPLES`, as it is or at 32 kHz.
    """
    decoded = _decode(data, MOST_SAMPLES)
    samples = decoded.samples
    return samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0], decoded.rate


def resample(samples: np.ndarray, rate: int, target: int = SAMPLE_RATE) -> np.ndarray:
    """Resample with soxr HQ, as the published waveform caches were.

    Args:
        samples: ``(samples,)`` float32.
        rate: the sampling rate of ``samples`` in Hz.
        target: the wanted sampling rate in Hz.
    """
    if rate == target:
        return samples
    stream = _resampler(rate, target)
    resampled = stream.resample_chunk(samples, last=True)
    stream.clear()
    return resampled


def _resampler(rate: int, target: int) -> soxr.ResampleStream:
    """This thread's own, whose filter is designed once: a fifth of the time of a clip."""
    made = _of_thread.__dict__.setdefault("resamplers", {})
    if (rate, target) not in made:
        made.clear()  # a corpus has one rate, and a folder of sounds one after another
        made[rate, target] = soxr.ResampleStream(rate, target, 1, dtype="float32", quality="HQ")
    return cast(soxr.ResampleStream, made[rate, target])


def at_full_scale(samples: np.ndarray) -> np.ndarray:
    """Samples as 16 bits can hold them, float32: what is louder is cut, in prediction as in a corpus's clips.

    Recorders of 32-bit floats go above full scale, and so does resampling, a little.
    """
    return np.clip(samples, -1.0, FULL_SCALE)


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Float samples in [-1, 1] as int16; louder ones are cut at full scale, as :func:`at_full_scale` does."""
    scaled = samples * np.float32(32768)
    np.rint(scaled, out=scaled)
    np.minimum(np.maximum(scaled, _LOWEST, out=scaled), _HIGHEST, out=scaled)  # of np.clip half the time
    return scaled.astype(np.int16)


class Inspected(NamedTuple):
    """A corpus clip that was decoded.

    Attributes:
        samples: ``(samples,)`` int16 at 32 kHz, or None where something is wrong.
        problem: what is wrong, or None.
        peak: the largest absolute sample of the file, where 1 is full scale; 1 where it cannot be more.
    """

    samples: np.ndarray | None
    problem: Problem | None
    peak: float = 1.0


def inspect_clip(data: bytes, where: str) -> Inspected:
    """Decode a corpus clip to 32 kHz int16, or say what is wrong with it.

    Args:
        data: the file's bytes.
        where: the file's name, for the problem.
    """

    def problem(what: str, remedy: str) -> Inspected:
        return Inspected(None, Problem(where, what, remedy))

    if not data:
        return problem("the file is empty (0 bytes)", "restore it from the original recordings")
    plain = _plain_clip(data)
    if plain is not None:
        mono, rate, peak = *plain, 1.0
    else:
        try:
            decoded = _decode(data, MOST_SAMPLES_OF_A_CLIP)
        except OSError as error:
            return problem(str(error.strerror), "cut the recording into clips")
        except soundfile.LibsndfileError as error:
            what = f"not a readable sound file ({error.error_string})"
            return problem(what, "restore it from the original recordings")
        if wrong := _wrong_with(decoded):
            return problem(*wrong)
        mono, rate = decoded.samples[:, 0], decoded.rate
        peak = max(float(mono.max()), -float(mono.min()))
        if not np.isfinite(peak):
            return problem("holds samples that are not finite (NaN or infinite)", "record or export it again")
    samples = to_int16(resample(mono, rate))
    if not samples.any():
        return problem("is silent: every sample is zero at 16 bits", "remove it from the corpus's tables")
    return Inspected(samples, None, peak)


def _wrong_with(decoded: _Decoded) -> tuple[str, str] | None:
    """What keeps a file from being a clip, by its length, channels and sampling rate, and the remedy."""
    frames, channels = decoded.samples.shape
    if frames < decoded.promised:
        what = f"truncated: the header promises {decoded.promised} samples, {frames} are there"
        return what, "restore it from the original recordings"
    if frames == 0:
        return "holds no samples", "restore it from the original recordings"
    if channels != 1:
        return f"has {channels} channels", "mix it down to mono"
    if decoded.rate < SAMPLE_RATE:
        what = f"is sampled at {decoded.rate} Hz, below the {SAMPLE_RATE} Hz that the frontends need"
        return what, "use the original recording"
    return None


class _PlainHeader(NamedTuple):
    """What the header of a mono WAV file of 16 or 24 bits says, and the byte at which its samples begin."""

    frames: int
    rate: int
    width: int
    at: int

    def is_within(self, size: int) -> bool:
        """Whether a file of so many bytes holds all of it."""
        return self.at + self.frames * self.width <= size


def _plain_header(data: bytes) -> _PlainHeader | None:
    """Read a WAV header as TAU22's are; None where anything is unusual.

    At 24 bits Python's own reader is done in a quarter of libsndfile's time, and holds the lock of the interpreter no
    longer.

    Args:
        data: the file, or its beginning.
    """
    if (short := _short_header(data)) is not None:
        return short
    source = io.BytesIO(data)
    try:
        with wave.open(source) as file:
            frames, rate, width = file.getnframes(), file.getframerate(), file.getsampwidth()
            at = source.tell()
            if file.getnchannels() != 1 or width not in (2, 3) or not SAMPLE_RATE <= rate <= _USUAL_RATE:
                return None
    except (wave.Error, EOFError, struct.error, ValueError, RuntimeError):  # all of them on damaged headers
        return None
    is_usual = data[at - 8 : at - 4] == b"data" and 0 < frames <= MOST_SAMPLES_OF_A_CLIP
    return _PlainHeader(frames, rate, width, at) if is_usual else None


_SHORT = struct.Struct("<4sI8sIHHIIHH4sI")
"""What most WAV files begin with: ``RIFF``, its size; ``WAVEfmt ``, its size, the format; ``data``, its size."""


def _short_header(data: bytes) -> _PlainHeader | None:
    """A header without anything that is not needed; None where it has more, or anything is unusual."""
    if len(data) < _SHORT.size:
        return None
    riff, whole, wave_fmt, fmt, kind, channels, rate, _, _, bits, name, size = _SHORT.unpack_from(data)
    is_short = (riff, wave_fmt, fmt, kind, channels, name) == (b"RIFF", b"WAVEfmt ", 16, 1, 1, b"data")
    if not is_short or bits not in (16, 24) or not SAMPLE_RATE <= rate <= _USUAL_RATE:
        return None
    width = bits // 8
    frames = size // width
    is_usual = whole >= _SHORT.size - 8 + size and 0 < frames <= MOST_SAMPLES_OF_A_CLIP
    return _PlainHeader(frames, rate, width, _SHORT.size) if is_usual else None


def _plain_clip(data: bytes) -> tuple[np.ndarray, int] | None:
    """Samples and sampling rate of a whole, audible mono WAV file of 16 or 24 bits; None where anything is unusual."""
    header = _plain_header(data)
    if header is None or not header.is_within(len(data)):
        return None
    frames, rate, width, at = header
    whole = np.frombuffer(data, "<i2", frames, at) if width == 2 else _of_24_bits(data, frames, at)
    if not whole.any():
        return None
    samples = whole.astype(np.float32)
    samples *= np.float32(2.0 ** (1 - 8 * width))
    return samples, rate


def _of_24_bits(data: bytes, frames: int, at: int) -> np.ndarray:
    """Samples of three bytes each, least significant first, as ``(frames,)`` int32.

    An integer of four bytes is read from one byte before each: what is in that one is shifted out.
    """
    return np.ndarray((frames,), dtype="<i4", buffer=data, offset=at - 1, strides=(3,)) >> 8


def promised_frames(data: bytes, there: int) -> int:
    """The number of samples a WAV header claims; libsndfile silently reports what is really there.

    Args:
        data: the file, or its beginning.
        there: how many libsndfile finds, which is the answer where the header claims none.
    """
    if data[:4] != b"RIFF":
        return there
    at, frame_bytes = 12, 0
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"fmt ":
            frame_bytes = int.from_bytes(data[at + 20 : at + 22], "little")
        elif name == b"data":
            unknown = size == 0 or size >= _UNKNOWN_BYTES or frame_bytes == 0
            return there if unknown else size // frame_bytes
        at += 8 + size + size % 2
    return there


class ReadClip(NamedTuple):
    """A corpus clip that was read: as :class:`Inspected`, and the digest of the file's bytes."""

    samples: np.ndarray | None
    problem: Problem | None
    digest: str
    peak: float = 1.0


def read_clip(root: Path, filename: str) -> ReadClip:
    """Read and decode one clip of a corpus; see :func:`inspect_clip`."""
    try:
        data = _read(root, filename)
    except _UnreadError as error:
        return ReadClip(None, error.problem, "")
    samples, wrong, peak = inspect_clip(data, filename)
    return ReadClip(samples, wrong, digest_sound(data), peak)


def read_ahead(root: Path, filenames: Iterable[str]) -> None:
    """Have the system read clips of a corpus from the disk, without waiting, where it can: they are wanted soon.

    What is wrong with a file is found when it is read.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    for filename in filenames:
        with suppress(_UnreadError), _opened(root, filename) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


def length_by_header(root: Path, filename: str) -> int | Problem:
    """How many samples a corpus clip has at 32 kHz, or what is wrong with it, as far as a look at its header tells.

    Of WAV files of 16 or 24 bits the header alone is read, which takes a tenth of the time; others are decoded. What
    is silent, or damaged behind its header, is not found.
    """
    try:
        beginning, size = _beginning(root, filename)
        header = _plain_header(beginning)
        if header is not None and header.is_within(size):
            return round(header.frames * SAMPLE_RATE / header.rate)
        samples, wrong, _ = inspect_clip(_read(root, filename), filename)
    except _UnreadError as error:
        return error.problem
    return wrong if samples is None and wrong is not None else len(samples if samples is not None else ())


class _UnreadError(Exception):
    """A file that could not be read, and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.line())
        self.problem = problem


def _read(root: Path, filename: str) -> bytes:
    """A corpus clip's bytes.

    Raises:
        _UnreadError: if it is absent, too large, no file, or leads out of the corpus.
    """
    with _opened(root, filename) as file:
        size = os.fstat(file.fileno()).st_size
        if size > _MOST_BYTES_OF_A_CLIP:
            raise _UnreadError(Problem(filename, f"is {size / 1e6:,.0f} MB large", "cut the recording into clips"))
        return file.readall()


def _beginning(root: Path, filename: str) -> tuple[bytes, int]:
    """The first bytes of a corpus clip, and how many it has; raises as :func:`_read` does."""
    with _opened(root, filename) as file:
        return file.read(_HEADER_BYTES) or b"", os.fstat(file.fileno()).st_size


@contextmanager
def _opened(root: Path, filename: str) -> Iterator[io.FileIO]:
    try:
        if problem := unfit(root, filename):
            raise _UnreadError(problem)
        with open(os.path.join(root, filename), "rb", buffering=0) as file:
            yield file
    except FileNotFoundError:
        remedy = "restore it, or remove it from the corpus's tables"
        raise _UnreadError(Problem(filename, f"no such file in {root}", remedy)) from None
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise _UnreadError(Problem(filename, what, "check the file and its permissions")) from None


def unfit(root: Path, filename: str) -> Problem | None:
    """Why a file of a corpus must not be opened: a link leads out of the corpus, or it is a pipe or a device.

    The corpus folder itself may be a link. A file that is absent is fit.
    """
    if _is_plainly_inside(root, filename):
        return None
    path, top = os.path.realpath(os.path.join(root, filename)), _top(os.path.abspath(root))
    if os.path.commonpath((path, top)) != top:
        return Problem(filename, "a link leads out of the corpus folder", "copy the file, or link the whole corpus")
    if not os.path.isfile(path) and os.path.exists(path):
        return Problem(filename, "cannot be read (is no file)", "put a sound file or a table there")
    return None


def _is_plainly_inside(root: Path, filename: str) -> bool:
    """Whether a name is that of a file, and no link, in a folder that lies inside the corpus: nearly all are.

    To look at every folder on the way there, for each clip, takes five times as long.
    """
    path = os.path.join(root, filename)
    folder = os.path.dirname(path)
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return False
        status = os.stat(folder)
    except (OSError, ValueError):
        return False
    return _is_folder_inside(os.path.abspath(root), folder, status.st_dev, status.st_ino)


@functools.lru_cache(maxsize=4096)
def _is_folder_inside(root: str, folder: str, device: int, number: int) -> bool:
    """Whether a folder of a corpus lies in it; a name may be another folder later, of another number."""
    top = _top(root)
    return os.path.commonpath((os.path.realpath(folder), top)) == top


@functools.lru_cache(maxsize=8)
def _top(root: str) -> str:
    """Where a corpus folder really is: asked for every clip of it. (Absolute: a process may change its own folder.)"""
    return os.path.realpath(root)
