"""Augmentation in whole batches on the device that trains: segment crops, DIR, roll, masks, Freq-MixStyle, mixup."""

from typing import TYPE_CHECKING

from asc_experiments.base.lazy import importing

if TYPE_CHECKING:
    from asc_experiments.augment.augmentation import Augmentation, register_augmentation
    from asc_experiments.augment.augmentations import AUGMENTATIONS
    from asc_experiments.augment.augmentations.freq_mixstyle import freq_mixstyle
    from asc_experiments.augment.augmentations.masks import mask
    from asc_experiments.augment.augmentations.mixup import mix
    from asc_experiments.augment.augmentations.roll import roll
    from asc_experiments.augment.augmenter import Augmenter
    from asc_experiments.augment.batch import AugmentationContext, Batch
    from asc_experiments.augment.impulse_response import DeviceImpulseResponses
    from asc_experiments.augment.settings import AugmentationSettings

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "AugmentationContext",
    "AugmentationSettings",
    "Augmenter",
    "Batch",
    "DeviceImpulseResponses",
    "freq_mixstyle",
    "mask",
    "mix",
    "register_augmentation",
    "roll",
]
__getattr__ = importing(
    __name__,
    {
        "AUGMENTATIONS": "augmentations",
        "Augmentation": "augmentation",
        "AugmentationSettings": "settings",
        "Augmenter": "augmenter",
        "Batch": "batch",
        "DeviceImpulseResponses": "impulse_response",
        "AugmentationContext": "batch",
        "freq_mixstyle": "augmentations.freq_mixstyle",
        "mask": "augmentations.masks",
        "mix": "augmentations.mixup",
        "register_augmentation": "augmentation",
        "roll": "augmentations.roll",
    },
)
