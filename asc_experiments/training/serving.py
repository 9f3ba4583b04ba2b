"""What serves a stored network: a table of waveforms in, a table of scenes with their probabilities out.

Rows have any length and any sampling rate; each is heard as a sound file is, in windows of the network's own length.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from asc_experiments.base.errors import AscError
from asc_experiments.corpus.audio import SAMPLE_RATE
from asc_experiments.training.inference import classify_windows, heard_windows, in_groups
from asc_experiments.training.network import SceneNetwork, load_network

WAVEFORM, SAMPLING_RATE, DEVICE = "waveform", "sampling_rate", "device"
"""The columns that go in. The second may be absent or empty: 32 kHz. So may the third, which only a model with networks
for devices has: the general network answers then, and for a device that none is for."""
SCENE, PROBABILITY = "scene", "probability"
"""The first columns that come out."""


class ScenePredictor:
    """A network behind a table.

    Args:
        network: in evaluation mode.
    """

    def __init__(self, network: SceneNetwork) -> None:
        self.network = network
        self._logits_of = {name: each.folded() for name, each in network.of_devices.items()}
        self._general = network.folded()

    @classmethod
    def load(cls, folder: Path) -> ScenePredictor:
        """Read the network from its folder.

        Raises:
            AscError: if there is no readable network.
        """
        return cls(load_network(folder))

    def predict(self, sounds: pd.DataFrame | np.ndarray) -> pd.DataFrame:
        """Say of every row which scene it is.

        Args:
            sounds: the column ``waveform`` (samples as floats in [-1, 1], any length above zero) and, where it is not
                32 kHz, ``sampling_rate`` in Hz; of a model with networks for devices also ``device``; or an array
                ``(rows, samples)`` at 32 kHz.

        Returns:
            In the same order and under the same index: ``scene``, its ``probability``, and the whole distribution in a
            column ``probability/SCENE`` per scene.

        Raises:
            AscError: naming the first row that is no sound, counted from 0.
        """
        if not isinstance(sounds, pd.DataFrame):
            sounds = _as_table(np.asarray(sounds))
        if WAVEFORM not in sounds:
            remedy = f"give it, and {SAMPLING_RATE} where that is not {SAMPLE_RATE}"
            raise AscError("the input", f"has no column '{WAVEFORM}'", remedy)
        scenes = self.network.scenes
        table = np.empty((len(sounds), len(scenes)))
        for device, rows in self._by_network(sounds).items():
            logits_of = self._general if device is None else self._logits_of[device]
            done = 0
            for group in in_groups(_windows_of(sounds, rows, self.network.samples), lambda windows: windows):
                table[rows[done : done + len(group)]] = classify_windows(logits_of, group)
                done += len(group)
        columns: dict[str, Any] = {
            SCENE: np.array(scenes, dtype=object)[table.argmax(axis=1)],
            PROBABILITY: table.max(axis=1),
        }
        columns |= {column: table[:, number] for number, column in enumerate(distribution_columns(scenes))}
        return pd.DataFrame(columns, index=sounds.index)

    def _by_network(self, sounds: pd.DataFrame) -> dict[str | None, np.ndarray]:
        """The rows that each network answers for, in their order, by its device; None is the general one."""
        devices = sounds[DEVICE].tolist() if DEVICE in sounds and self._logits_of else [None] * len(sounds)
        chosen = [each if isinstance(each, str) and each in self._logits_of else None for each in devices]
        return {each: np.flatnonzero([other == each for other in chosen]) for each in dict.fromkeys(chosen)}


def distribution_columns(scenes: tuple[str, ...]) -> list[str]:
    """The columns of the distribution. A scene's bare name could be that of another column, such as ``scene``."""
    return [f"{PROBABILITY}/{scene}" for scene in scenes]


def _as_table(waveforms: np.ndarray) -> pd.DataFrame:
    if waveforms.ndim != 2:
        what = f"is an array of {waveforms.ndim} dimensions"
        raise AscError("the input", what, f"give (rows, samples) at {SAMPLE_RATE} Hz, or a table with '{WAVEFORM}'")
    return pd.DataFrame({WAVEFORM: list(waveforms)})


def _windows_of(sounds: pd.DataFrame, rows: np.ndarray, length: int) -> Iterator[np.ndarray]:
    """The windows of each of some rows, of a length in samples."""
    for row in rows.tolist():
        rate = sounds[SAMPLING_RATE].iloc[row] if SAMPLING_RATE in sounds else None
        yield _windows(sounds[WAVEFORM].iloc[row], rate, row, length)


def _windows(waveform: Any, rate: Any, row: int, length: int) -> np.ndarray:
    where, remedy = f"row {row}", f"correct '{WAVEFORM}' or '{SAMPLING_RATE}' there"
    try:
        samples = np.asarray(waveform, dtype=np.float32)
    except (TypeError, ValueError):
        samples = None
    if samples is None or samples.ndim != 1:
        raise AscError(where, f"'{WAVEFORM}' is no list of numbers", "give the samples of one channel, in [-1, 1]")
    try:
        return heard_windows(samples, _whole(rate), length)
    except ValueError as error:
        raise AscError(where, str(error), remedy) from None


def _whole(rate: Any) -> int:
    """A sampling rate as a whole number; 32 kHz where it is empty.

    Raises:
        ValueError: if it is none.
    """
    if rate is None or rate is pd.NA:
        return SAMPLE_RATE
    try:
        value = float(rate)
    except (TypeError, ValueError):
        raise ValueError(f"has a sampling rate that is no number: {rate!r}") from None
    if math.isnan(value):
        return SAMPLE_RATE
    if not value.is_integer():  # infinity is none either
        raise ValueError(f"has a sampling rate of {value:g} Hz, which is no whole number")
    return int(value)
