"""What is done to training clips, as a Recipe says it."""

from __future__ import annotations

from pydantic import Field

from asc_experiments.base.settings import Settings


class Augmentation(Settings):
    """What is done to training clips.

    Attributes:
        roll: largest shift in time, in samples, either way.
        dir_probability: how often a clip of the reference device is convolved with an impulse response.
        fms_probability: how often a batch goes through Freq-MixStyle.
        fms_alpha: its mixing weights are Beta(alpha, alpha).
        mixup_alpha: mixing weights of mixup are Beta(alpha, alpha); 0 turns it off.
        frequency_mask, time_mask: masks are narrower than this, in mels and frames: 48 draws widths of 0 to 47, and 1
            masks nothing; 0 turns them off.
        fmax_jitter: largest shift of the upper mel edge per batch, in Hz, either way.
        segment_crop: how often a clip gives way to a window of its length anywhere in the recording it was cut from.
    """

    roll: int = Field(0, ge=0)
    dir_probability: float = Field(0.0, ge=0, le=1)
    fms_probability: float = Field(0.0, ge=0, le=1)
    fms_alpha: float = Field(0.3, gt=0)
    mixup_alpha: float = Field(0.0, ge=0)
    frequency_mask: int = Field(48, ge=0)
    time_mask: int = Field(0, ge=0)
    fmax_jitter: int = Field(500, ge=0, le=500)
    segment_crop: float = Field(0.0, ge=0, le=1)
