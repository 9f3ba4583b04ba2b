"""Augmentation in whole batches on the device that trains: roll, DIR, Freq-MixStyle, masks, mixup."""

from asc_experiments.augment.impulse_response import DeviceImpulseResponses
from asc_experiments.augment.pipeline import Augmentation, Augmenter
from asc_experiments.augment.spectrogram import freq_mixstyle, mask, mix
from asc_experiments.augment.waveform import roll

__all__ = ["Augmentation", "Augmenter", "DeviceImpulseResponses", "freq_mixstyle", "mask", "mix", "roll"]
