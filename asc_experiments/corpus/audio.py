"""Decode one sound file, say what is wrong with it, resample it; a corpus's clips lie inside the corpus.

Files may come from anywhere: none is believed about its size before it is decoded, and no link leads out of a corpus.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import struct
import threading
import wave
from pathlib import Path
from typing import cast

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
_of_thread = threading.local()


class _Bytes(io.BytesIO):
    """A file in memory for libsndfile, which damaged headers make seek to places that do not exist."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As files do; a place before the beginning is the beginning. (Else soundfile prints a traceback.)"""
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return super().seek(0)


def read_mono(data: bytes) -> tuple[np.ndarray, int]:
    """Decode a sound file from memory and average its channels.

    Returns:
        Samples ``(samples,)`` float32 in [-1, 1] and the sampling rate in Hz.

    Raises:
        soundfile.LibsndfileError: if the bytes are no sound file.
        OSError: if it claims to be longer than :data:`MOST_SAMPLES`, as it is or at 32 kHz.
    """
    info = soundfile.info(_Bytes(data))
    if max(_claimed(info), info.frames * SAMPLE_RATE // max(1, info.samplerate)) > MOST_SAMPLES:
        raise OSError(errno.EFBIG, f"claims {info.frames:,} samples at {info.samplerate} Hz, which is too long")
    samples, rate = soundfile.read(_Bytes(data), dtype="float32", always_2d=True)
    return samples.mean(axis=1) if samples.shape[1] > 1 else samples[:, 0], rate


def _claimed(info: soundfile._SoundFileInfo) -> int:
    """How many samples a header says there are, in all channels."""
    return int(info.frames) * int(info.channels)


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


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Float samples in [-1, 1] as int16; louder ones are clipped."""
    return np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)


def inspect_clip(data: bytes, where: str) -> tuple[np.ndarray | None, Problem | None]:
    """Decode a corpus clip to 32 kHz int16, or say what is wrong with it.

    Args:
        data: the file's bytes.
        where: the file's name, for the problem.

    Returns:
        ``(samples,)`` int16 at 32 kHz and None, or None and the problem.
    """

    def problem(what: str, remedy: str) -> tuple[None, Problem]:
        return None, Problem(where, what, remedy)

    if not data:
        return problem("the file is empty (0 bytes)", "restore it from the original recordings")
    plain = _plain_clip(data)
    if plain is not None:
        return to_int16(resample(*plain)), None
    try:
        info = soundfile.info(_Bytes(data))
        if _claimed(info) > MOST_SAMPLES_OF_A_CLIP:
            return problem(f"claims to hold {info.frames:,} samples", "cut the recording into clips")
        samples, rate = soundfile.read(_Bytes(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        return problem(f"not a readable WAV file ({error.error_string})", "restore it from the original recordings")
    promised = promised_frames(data, info)
    if samples.shape[0] < promised:
        what = f"truncated: the header promises {promised} samples, {samples.shape[0]} are there"
        return problem(what, "restore it from the original recordings")
    if samples.shape[0] == 0:
        return problem("holds no samples", "restore it from the original recordings")
    if samples.shape[1] != 1:
        return problem(f"has {samples.shape[1]} channels", "mix it down to mono")
    if rate < SAMPLE_RATE:
        what = f"is sampled at {rate} Hz, below the {SAMPLE_RATE} Hz that the frontends need"
        return problem(what, "use the original recording")
    mono = samples[:, 0]
    if not np.isfinite(mono).all():
        return problem("holds samples that are not finite (NaN or infinite)", "record or export it again")
    if not mono.any():
        return problem("is silent: every sample is zero", "remove it from the corpus's tables")
    return to_int16(resample(mono, rate)), None


def _plain_clip(data: bytes) -> tuple[np.ndarray, int] | None:
    """Samples and sampling rate of a whole, audible mono WAV file of 16 bits; None where anything is unusual.

    Python's own reader is done in a tenth of libsndfile's time, and holds the lock of the interpreter no longer.
    """
    try:
        with wave.open(io.BytesIO(data)) as file:
            frames, rate = file.getnframes(), file.getframerate()
            if file.getnchannels() != 1 or file.getsampwidth() != 2 or rate < SAMPLE_RATE:
                return None
            samples = np.frombuffer(file.readframes(frames), dtype="<i2")
    except (wave.Error, EOFError, struct.error, ValueError, RuntimeError):  # all of them on damaged headers
        return None
    if len(samples) != frames or frames > MOST_SAMPLES_OF_A_CLIP or not samples.any():
        return None
    return samples.astype(np.float32) / np.float32(32768), rate


def promised_frames(data: bytes, info: soundfile._SoundFileInfo) -> int:
    """The number of samples a WAV header claims; libsndfile silently reports what is really there."""
    if data[:4] != b"RIFF":
        return int(info.frames)
    at, frame_bytes = 12, 0
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"fmt ":
            frame_bytes = int.from_bytes(data[at + 20 : at + 22], "little")
        elif name == b"data":
            unknown = size in (0, 0xFFFFFFFF) or frame_bytes == 0  # written by a stream that did not know
            return int(info.frames) if unknown else size // frame_bytes
        at += 8 + size + size % 2
    return int(info.frames)


def read_clip(root: Path, filename: str) -> tuple[np.ndarray | None, Problem | None, str]:
    """Read and decode one clip of a corpus.

    Returns:
        What :func:`inspect_clip` returns, and the digest of the file's bytes.
    """
    try:
        path = os.path.join(root, filename)
        if problem := unfit(root, filename):
            return None, problem, ""
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size > _MOST_BYTES_OF_A_CLIP:
                return None, Problem(filename, f"is {size / 1e6:,.0f} MB large", "cut the recording into clips"), ""
            data = file.readall()
    except FileNotFoundError:
        remedy = "restore it, or remove it from the corpus's tables"
        return None, Problem(filename, f"no such file in {root}", remedy), ""
    except OSError as error:
        return None, Problem(filename, f"cannot be read ({error.strerror})", "check the file and its permissions"), ""
    samples, problem = inspect_clip(data, filename)
    return samples, problem, digest_sound(data)


def unfit(root: Path, filename: str) -> Problem | None:
    """Why a file of a corpus must not be opened: a link leads out of the corpus, or it is a pipe or a device.

    The corpus folder itself may be a link. A file that is absent is fit.
    """
    path, top = os.path.realpath(os.path.join(root, filename)), _top(root)
    if os.path.commonpath((path, top)) != top:
        return Problem(filename, "a link leads out of the corpus folder", "copy the file, or link the whole corpus")
    if not os.path.isfile(path) and os.path.exists(path):
        return Problem(filename, "cannot be read (is no file)", "put a sound file or a table there")
    return None


@functools.lru_cache(maxsize=8)
def _top(root: Path) -> str:
    """Where a corpus folder really is: asked for every clip of it."""
    return os.path.realpath(root)
