"""Augmentation in whole batches on the device that trains: roll, DIR, Freq-MixStyle, masks, mixup."""

from typing import TYPE_CHECKING

from asc_experiments.augment.settings import Augmentation
from asc_experiments.base.lazy import importing

if TYPE_CHECKING:
    from asc_experiments.augment.impulse_response import DeviceImpulseResponses
    from asc_experiments.augment.pipeline import Augmenter
    from asc_experiments.augment.spectrogram import freq_mixstyle, mask, mix
    from asc_experiments.augment.waveform import roll

__all__ = ["Augmentation", "Augmenter", "DeviceImpulseResponses", "freq_mixstyle", "mask", "mix", "roll"]
__getattr__ = importing(
    __name__,
    {
        "Augmenter": "pipeline",
        "DeviceImpulseResponses": "impulse_response",
        "freq_mixstyle": "spectrogram",
        "mask": "spectrogram",
        "mix": "spectrogram",
        "roll": "waveform",
    },
)
