"""Device impulse responses (DIRs): recordings of how microphones colour sound, for DIR augmentation.

Any folder of sound files serves; the authors of DIR use MicIRP ("Device-Robust Acoustic Scene Classification via
Impulse Response Augmentation", EUSIPCO 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from asc_experiments.base.errors import AscError
from asc_experiments.base.hashing import digest_file, digest_json
from asc_experiments.corpus.audio import is_sound, read_mono, resample


@dataclass(frozen=True, eq=False)
class ImpulseResponses:
    """A bank of impulse responses.

    Attributes:
        responses: ``(responses, samples)`` float32 at 32 kHz, zero-padded to the longest.
        digest: names their content; part of the key of every Teacher that was trained with them.
    """

    responses: np.ndarray
    digest: str


def load_impulse_responses(folder: Path) -> ImpulseResponses:
    """Read every sound file of a folder, in the order of their names, at 32 kHz; files of other kinds may lie there.

    Raises:
        AscError: if the folder is missing or empty, or a file is no readable sound.
    """
    paths = sorted(path for path in folder.iterdir() if is_sound(path)) if folder.is_dir() else []
    if not paths:
        raise AscError(folder, "no sound files with impulse responses there", "give --dirs a folder of them")
    signals = [_load(path) for path in paths]
    responses = np.zeros((len(signals), max(len(signal) for signal in signals)), dtype=np.float32)
    for row, signal in zip(responses, signals, strict=True):
        row[: len(signal)] = signal
    return ImpulseResponses(responses, digest_json([digest_file(path) for path in paths]))


def _load(path: Path) -> np.ndarray:
    try:
        samples, rate = read_mono(path.read_bytes())
    except (soundfile.LibsndfileError, OSError) as error:
        raise AscError(path, f"not a readable sound file ({error})", "remove it from the --dirs folder") from None
    if not np.isfinite(samples).all() or not samples.any():
        raise AscError(path, "the impulse response is silent or not finite", "remove it from the --dirs folder")
    return resample(samples, rate)
