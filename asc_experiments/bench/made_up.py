"""Clips, logits and impulse responses that are made up, as many as TAU22 has, without memory for each."""

from __future__ import annotations

import numpy as np
import torch

from asc_experiments.corpus.audio import SAMPLE_RATE
from asc_experiments.training import KL, ClipSource, SoftTargets

TAU22_TRAINING_CLIPS = 139_620
SCENES = tuple(f"scene {number}" for number in range(10))
_APART = 101
"""In samples: how far the beginnings of two neighbouring clips are apart in the noise that they are cut from."""
_OF_REFERENCE = 0.73
"""The part of TAU22's training clips that its reference device recorded, which DIR convolves: 102,150."""
_RESPONSES, _RESPONSE_SAMPLES = 66, 16_000
"""As MicIRP has them: half a second at the most."""
_LOUD = 3_000


def made_up_waveforms(clips: int, samples: int = SAMPLE_RATE) -> np.ndarray:
    """``(clips, samples)`` int16, each another stretch of the same noise: a view of some megabytes."""
    noise = np.random.default_rng(0).integers(-_LOUD, _LOUD, _APART * (clips - 1) + samples, dtype=np.int16)
    return np.lib.stride_tricks.sliding_window_view(noise, samples)[::_APART]


def made_up_clips(clips: int, device: torch.device, samples: int = SAMPLE_RATE) -> ClipSource:
    """Clips on a device, as a training has them: a GPU keeps them all.

    Raises:
        AscError: if they do not fit into its memory.
    """
    is_reference = np.random.default_rng(1).random(clips) < _OF_REFERENCE
    return ClipSource(made_up_waveforms(clips, samples), np.arange(clips) % len(SCENES), is_reference, device)


def made_up_responses() -> np.ndarray:
    """Impulse responses ``(responses, samples)`` float32 at 32 kHz, which die away."""
    noise = np.random.default_rng(2).normal(size=(_RESPONSES, _RESPONSE_SAMPLES))
    return (noise * np.exp(-np.arange(_RESPONSE_SAMPLES) / 1_000) / 10).astype(np.float32)


def made_up_targets(clips: int) -> SoftTargets:
    """What a student learns from: logits of an ensemble, and the published loss."""
    logits = np.random.default_rng(3).normal(size=(clips, len(SCENES))).astype(np.float32)
    return SoftTargets(logits, KL(temperature=2.0, label_weight=0.02))
