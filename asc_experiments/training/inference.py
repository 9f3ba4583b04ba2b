"""Classify sounds of any length and sampling rate with a trained network: waveforms, sound files, folders of them.

A network hears windows of the length of the clips that it was trained on (one second in TAU22); what it says of a
longer sound is the mean of its probabilities over windows, and a shorter one is repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile
import torch
from torch import Tensor

from asc_experiments.base.errors import AscError
from asc_experiments.corpus.audio import SAMPLE_RATE, SOUND_SUFFIXES, at_full_scale, is_sound, read_mono, resample
from asc_experiments.training.network import SceneNetwork

T = TypeVar("T")
_SECONDS_AT_A_TIME = 16
"""So many windows of one second are fastest on a CPU: of fewer each costs half as much again, and more do not fit into
its cache."""
_NAMED = 5
_TABLES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".yaml", ".yml")
_LOWEST_RATE = 100
"""In Hz. What claims less is no recording of sound, and would take hundreds of times its size at 32 kHz."""


DeviceOf = Callable[[Path], str | None]
"""The name of the device that recorded a file; None where it is not known."""


def no_device(path: Path) -> str | None:
    """Of no file is the device known."""
    return None


@dataclass(frozen=True)
class Prediction:
    """What a network says of one file, or of a window of it: a scene with its probability, or an error.

    Attributes:
        path: of the file.
        scene: the most probable one.
        probability: its probability.
        distribution: that of every scene.
        error: what is wrong with the file; empty where nothing is.
        begin, end: of the window, in seconds from the beginning of the file; None where it is about all of it.
        is_last: whether no other of the same file follows.
    """

    path: Path
    scene: str = ""
    probability: float = 0.0
    distribution: dict[str, float] | None = None
    error: str = ""
    begin: float | None = None
    end: float | None = None
    is_last: bool = True


@dataclass(frozen=True, eq=False)
class _Sound:
    """A file's windows ``(windows, samples)``, none where it has an error."""

    path: Path
    windows: np.ndarray
    error: str = ""


def find_sound_files(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The files named, and those below the folders named, sorted.

    Returns:
        The sound files; and what lies in the folders beside them and is none by its name.

    Raises:
        AscError: if a path does not exist or nothing is found.
    """
    found: list[Path] = []
    others: list[Path] = []
    for path in paths:
        if path.is_dir():
            for file in sorted(file for file in path.rglob("*") if file.is_file()):
                (found if is_sound(file) else others).append(file)
        elif path.suffix.lower() in _TABLES and path.is_file():
            raise AscError(path, "is a table, and no sound", "give the sound files that it lists, or their folder")
        elif path.is_file():
            found.append(path)
        else:
            raise AscError(path, "no such file or folder", "give sound files or folders of them")
    if not found:
        there = f" ({left_out(others)})" if others else ""
        raise AscError(paths[0], f"holds no sound files{there}", f"valid endings: {', '.join(SOUND_SUFFIXES)}")
    return found, others


def left_out(files: Sequence[Path]) -> str:
    """What is said of files that are no sound files by their names."""
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    named = ", ".join(map(str, files[:_NAMED]))
    return f"left out, no sound files by their names: {named}{more}"


def classify_files(
    network: SceneNetwork, paths: Iterable[Path], device_of: DeviceOf = no_device
) -> Iterator[Prediction]:
    """Classify files in their order, several short ones at a time; a broken one yields its error, the next follows.

    Args:
        network: in evaluation mode.
        paths: of sound files.
        device_of: the device that recorded a file, where it is known and the network has others for devices.
    """
    logits_of = _folded(network)
    for group in in_groups((_read(path, network.samples) for path in paths), lambda sound: sound.windows):
        said: dict[int, np.ndarray] = {}
        for device in logits_of:
            own = [sound for sound in group if not sound.error and _device(network, device_of(sound.path)) == device]
            if own:
                found = classify_windows(logits_of[device], [sound.windows for sound in own])
                said |= {id(sound): each for sound, each in zip(own, found, strict=True)}
        for sound in group:
            if sound.error:
                yield Prediction(sound.path, error=sound.error)
                continue
            yield _prediction(network, sound.path, said[id(sound)])


def _folded(network: SceneNetwork) -> dict[str | None, Callable[[Tensor], Tensor]]:
    """What each network computes, by its device; None is the general one."""
    return {None: network.folded()} | {device: each.folded() for device, each in network.of_devices.items()}


def _device(network: SceneNetwork, device: str | None) -> str | None:
    """The device whose network answers for a recording of a device; None where that is the general one."""
    return device if device in network.of_devices else None


def classify_along(
    network: SceneNetwork, paths: Iterable[Path], every: float, device_of: DeviceOf = no_device
) -> Iterator[Prediction]:
    """Classify windows of each file, begun at equal distances; as :func:`classify_files` otherwise.

    A file that does not end with a window has one more, which reaches back from its end; a shorter one than a window
    is one, repeated.

    Args:
        network: in evaluation mode.
        paths: of sound files.
        every: seconds from the beginning of a window to that of the next.
        device_of: as for :func:`classify_files`.
    """
    of_devices, length = _folded(network), network.samples
    at_a_time = windows_at_a_time(length)
    for path in paths:
        logits_of = of_devices[_device(network, device_of(path))]
        samples, error = _heard(path)
        if error:
            yield Prediction(path, error=error)
            continue
        begins = _begins(len(samples), round(every * SAMPLE_RATE), length)
        for first in range(0, len(begins), at_a_time):
            batch = begins[first : first + at_a_time]
            cut = np.concatenate([windows(samples[begin : begin + length], length) for begin in batch])
            for begin, probabilities in zip(batch, scene_probabilities(logits_of, cut), strict=True):
                end = min(begin + length, len(samples))
                said = _prediction(network, path, probabilities)
                last = begin == begins[-1]
                yield replace(said, begin=begin / SAMPLE_RATE, end=end / SAMPLE_RATE, is_last=last)


def _begins(samples: int, step: int, length: int) -> list[int]:
    """Where windows of a length begin, all in samples."""
    last = max(0, samples - length)
    begins = list(range(0, last + 1, max(1, step)))
    return begins if begins[-1] == last else [*begins, last]


def _prediction(network: SceneNetwork, path: Path, probabilities: np.ndarray) -> Prediction:
    best = int(probabilities.argmax())
    distribution = dict(zip(network.scenes, map(float, probabilities), strict=True))
    return Prediction(path, network.scenes[best], float(probabilities[best]), distribution)


def classify(network: SceneNetwork, samples: np.ndarray) -> np.ndarray:
    """The mean probabilities over a network's windows; ``(scenes,)``.

    Args:
        network: in evaluation mode.
        samples: ``(samples,)`` float32 at 32 kHz, of any length above zero.
    """
    return classify_windows(network.folded(), [windows(samples, network.samples)])[0]


def classify_windows(logits_of: Callable[[Tensor], Tensor], sounds: Sequence[np.ndarray]) -> np.ndarray:
    """The mean probabilities of each sound over its windows; ``(sounds, scenes)`` float64.

    Args:
        logits_of: a network in evaluation mode, say :meth:`SceneNetwork.folded`.
        sounds: at least one; of each the windows ``(windows, samples)`` float32 at 32 kHz, at least one.
    """
    together = sounds[0] if len(sounds) == 1 else np.concatenate(sounds)
    batches = np.array_split(together, -(-len(together) // windows_at_a_time(together.shape[1])))
    probabilities = np.concatenate([scene_probabilities(logits_of, batch) for batch in batches])
    ends = np.cumsum([len(sound) for sound in sounds])
    return np.stack([part.mean(axis=0) for part in np.split(probabilities, ends[:-1])])


@torch.inference_mode()
def scene_probabilities(logits_of: Callable[[Tensor], Tensor], waveforms: np.ndarray) -> np.ndarray:
    """Waveforms ``(batch, samples)`` float32 at 32 kHz to probabilities ``(batch, scenes)`` float64."""
    return logits_of(torch.from_numpy(np.array(waveforms))).softmax(dim=-1).double().numpy()


def heard_windows(samples: np.ndarray, rate: int, length: int = SAMPLE_RATE) -> np.ndarray:
    """What a network hears of a recording: ``(windows, length)`` float32 at 32 kHz; see :func:`heard`."""
    return windows(heard(samples, rate), length)


def windows_at_a_time(length: int) -> int:
    """How many windows of a length, in samples, go through a network together."""
    return max(1, _SECONDS_AT_A_TIME * SAMPLE_RATE // length)


def heard(samples: np.ndarray, rate: int) -> np.ndarray:
    """A recording as a network hears it: ``(samples,)`` float32 at 32 kHz, at most at full scale.

    Args:
        samples: ``(samples,)`` float32 in [-1, 1], of any length above zero.
        rate: its sampling rate in Hz.

    Raises:
        ValueError: saying what is wrong with the recording.
    """
    if len(samples) == 0:
        raise ValueError("holds no samples")
    if not np.isfinite(samples).all():
        raise ValueError("holds samples that are not finite (NaN or infinite)")
    if rate < _LOWEST_RATE:
        raise ValueError(f"has a sampling rate of {rate} Hz; sound has {_LOWEST_RATE} Hz or more")
    resampled = at_full_scale(resample(samples, rate))
    return resampled if len(resampled) else at_full_scale(samples[:1])  # a few samples at a high rate


def windows(samples: np.ndarray, length: int = SAMPLE_RATE) -> np.ndarray:
    """Cut a waveform into windows ``(windows, length)``: a short one is repeated, a remainder reaches back.

    Args:
        samples: ``(samples,)``.
        length: of a window, in samples.
    """
    if len(samples) < length:
        return np.resize(samples, (1, length))
    count = len(samples) // length
    whole = samples[: count * length].reshape(count, length)
    return whole if count * length == len(samples) else np.concatenate([whole, samples[None, -length:]])


def in_groups(items: Iterable[T], windows_of: Callable[[T], np.ndarray]) -> Iterator[list[T]]:
    """Neighbours that together have windows for a batch; what is long ends a group.

    Args:
        items: sounds, in their order.
        windows_of: the windows ``(windows, samples)`` of one; none counts like one, so that no group becomes endless.
    """
    group: list[T] = []
    count = 0
    for item in items:
        group.append(item)
        cut = windows_of(item)
        count += max(1, len(cut))
        if count >= windows_at_a_time(cut.shape[1]):
            yield group
            group, count = [], 0
    if group:
        yield group


def _read(path: Path, length: int) -> _Sound:
    samples, error = _heard(path)
    return _Sound(path, np.empty((0, length), dtype=np.float32) if error else windows(samples, length), error)


def _heard(path: Path) -> tuple[np.ndarray, str]:
    """A file as a network hears it, and what is wrong with it; no samples where something is."""
    try:
        return heard(*read_mono(path.read_bytes())), ""
    except soundfile.LibsndfileError as error:
        wrong = f"not a readable sound file ({error.error_string.rstrip('.')})"
    except OSError as error:
        wrong = f"cannot be read ({error.strerror})"
    except ValueError as error:
        wrong = str(error)
    return np.empty(0, dtype=np.float32), wrong
