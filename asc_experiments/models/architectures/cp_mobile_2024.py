"""The baseline of DCASE 2024 and 2025 task 1 (CP-JKU): CP-Mobile without global response normalisation.

Its log-mels are those of torchaudio's MelSpectrogram, and are not normalised; with one second of sound, 65 frames, the
network has 61,148 parameters and 29,419,156 MACs by torchinfo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from asc_experiments.models.architecture import NetworkSettings, register_architecture
from asc_experiments.models.architectures.cp_mobile import CPMobileArchitecture
from asc_experiments.models.frontend_shape import FrontendShape

if TYPE_CHECKING:
    from torch import nn

_STRIDES = {"b3": (1, 2), "b4": (2, 1)}


class CPMobile2024Settings(NetworkSettings):
    """The size of the baseline of DCASE 2024 and 2025.

    Attributes:
        arch: the architecture's name.
        base_channels: channels of the first stage.
        channels_multiplier: how many times as many channels a stage has as the one before.
        expansion_rate: how many times as many channels a block has inside.
    """

    arch: Literal["cp_mobile_2024"] = "cp_mobile_2024"
    base_channels: int = Field(32, ge=8, le=512)
    channels_multiplier: float = Field(1.8, ge=1, le=4)
    expansion_rate: float = Field(2.1, ge=1, le=8)


@register_architecture
class CPMobile2024Architecture(CPMobileArchitecture):
    """The baseline of DCASE 2024 and 2025, as it was trained.

    Its 2,000 steps of warm-up are 14.6 epochs of the challenge's list of 25 % of the clips, and 15 here. It was trained
    with Freq-MixStyle (``--augment fms``) and without DIR, whose probability here is that of CP-Mobile.
    """

    name = "cp_mobile_2024"
    settings = CPMobile2024Settings
    frontend = FrontendShape(
        n_fft=4096, window=3072, hop=500, mels=256, fmax=16_000.0, pre_emphasis=0.0, periodic=True, triangles="htk",
        shift=0.0, scale=1.0, masks="power",
    )  # fmt: skip
    published: ClassVar = {
        "epochs": 150, "batch_size": 256, "learning_rate": 5e-3, "weight_decay": 1e-4, "optimiser": "adamw",
        "schedule": "cosine", "warmup_epochs": 15, "rampdown_start": 15, "rampdown_epochs": 135, "last_factor": 0.0,
        "roll": 3_200, "dir_probability": 0.6, "fms_probability": 0.4, "fms_alpha": 0.3, "frequency_mask": 48,
        "time_mask": 0, "fmax_jitter": 0,
    }  # fmt: skip

    def build(self, n_classes: int, **settings: Any) -> nn.Module:
        """See :class:`~asc_experiments.models.cp_mobile.CPMobile`."""
        from asc_experiments.models.cp_mobile import CPMobile

        sizes = self.settings().model_dump(exclude={"arch"}) | settings
        return CPMobile(n_classes=n_classes, **sizes, strides=_STRIDES, response_norm=False)
