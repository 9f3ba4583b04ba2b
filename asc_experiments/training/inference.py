"""Classify sound files of any length and sampling rate with a trained network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from asc_experiments.base.errors import AscError
from asc_experiments.corpus.audio import SAMPLE_RATE, read_mono, resample
from asc_experiments.training.network import SceneNetwork
from asc_experiments.training.serving import scene_probabilities

_WINDOWS_AT_A_TIME = 64
SOUND_SUFFIXES = (".wav", ".flac", ".ogg")


@dataclass(frozen=True)
class Prediction:
    """What a network says of one file: a scene with its probability and the full distribution, or an error."""

    path: Path
    scene: str = ""
    probability: float = 0.0
    distribution: dict[str, float] | None = None
    error: str = ""


def find_sound_files(paths: Sequence[Path]) -> list[Path]:
    """The files named, and those below the folders named, sorted.

    Raises:
        AscError: if a path does not exist or nothing is found.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.suffix.lower() in SOUND_SUFFIXES and p.is_file())
        elif path.is_file():
            found.append(path)
        else:
            raise AscError(path, "no such file or folder", "give sound files or folders of them")
    if not found:
        raise AscError(paths[0], "holds no sound files", f"valid endings: {', '.join(SOUND_SUFFIXES)}")
    return found


def classify_files(network: SceneNetwork, paths: Sequence[Path]) -> Iterator[Prediction]:
    """Classify files one after the other; a broken one yields its error, and the next follows.

    The probabilities are averaged over windows of one second, the training clips' length.
    """
    for path in paths:
        try:
            samples, rate = read_mono(path.read_bytes())
        except (soundfile.LibsndfileError, OSError) as error:
            yield Prediction(path, error=f"not a readable sound file ({error})")
            continue
        if len(samples) == 0 or not np.isfinite(samples).all():
            yield Prediction(path, error="holds no samples, or samples that are not finite")
            continue
        probabilities = classify(network, resample(samples, rate))
        best = int(probabilities.argmax())
        distribution = dict(zip(network.scenes, map(float, probabilities), strict=True))
        yield Prediction(path, network.scenes[best], float(probabilities[best]), distribution)


def classify(network: SceneNetwork, samples: np.ndarray) -> np.ndarray:
    """The mean probabilities over windows of one second; ``(scenes,)``.

    Args:
        network: in evaluation mode.
        samples: ``(samples,)`` float32 at 32 kHz, of any length above zero.
    """
    batch = windows(samples)
    pieces = [
        scene_probabilities(network, batch[first : first + _WINDOWS_AT_A_TIME])
        for first in range(0, len(batch), _WINDOWS_AT_A_TIME)
    ]
    return np.concatenate(pieces).mean(axis=0)


def windows(samples: np.ndarray, length: int = SAMPLE_RATE) -> np.ndarray:
    """Cut a waveform into windows ``(windows, length)``: a short one is repeated, a remainder reaches back.

    Args:
        samples: ``(samples,)``.
        length: of a window, in samples.
    """
    if len(samples) < length:
        return np.resize(samples, (1, length))
    starts = list(range(0, len(samples) - length + 1, length))
    if starts[-1] + length < len(samples):
        starts.append(len(samples) - length)
    return np.stack([samples[start : start + length] for start in starts])
