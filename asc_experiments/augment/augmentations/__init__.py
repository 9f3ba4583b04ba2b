"""The augmentations that there are: those of the published systems, and those of installed packages."""

from asc_experiments.augment.augmentation import AUGMENTATIONS, Augmentation, acting
from asc_experiments.augment.augmentations import (
    device_impulse_response,
    fmax_jitter,
    freq_mixstyle,
    masks,
    mixup,
    roll,
    segment_crop,
)

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "acting",
    "device_impulse_response",
    "fmax_jitter",
    "freq_mixstyle",
    "masks",
    "mixup",
    "roll",
    "segment_crop",
]

AUGMENTATIONS.load_outside()
