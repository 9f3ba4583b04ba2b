"""CP-Mobile (F. Schmid et al., DCASE 2023 task 1, CP-JKU): the student, and a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from asc_experiments.models.architecture import Architecture, NetworkSettings, register_architecture
from asc_experiments.models.frontend_shape import FrontendShape

if TYPE_CHECKING:
    from torch import Tensor, nn


class CPMobileSettings(NetworkSettings):
    """The size of a CP-Mobile.

    Attributes:
        arch: the architecture's name.
        base_channels: channels of the first stage.
        channels_multiplier: how many times as many channels a stage has as the one before.
        expansion_rate: how many times as many channels a block has inside.
    """

    arch: Literal["cp_mobile"] = "cp_mobile"
    base_channels: int = Field(32, ge=8, le=512)
    channels_multiplier: float = Field(2.3, ge=1, le=4)
    expansion_rate: float = Field(3.0, ge=1, le=8)


@register_architecture
class CPMobileArchitecture(Architecture):
    """CP-Mobile, as the winner of the challenge trained it."""

    name = "cp_mobile"
    settings: ClassVar[type[NetworkSettings]] = CPMobileSettings
    frontend = FrontendShape(n_fft=4096, window=3072, hop=500, mels=256)
    published: ClassVar = {
        "epochs": 150, "batch_size": 256, "learning_rate": 9e-4, "weight_decay": 1e-4,
        "warmup_epochs": 14, "rampdown_start": 50, "rampdown_epochs": 84, "last_factor": 0.005,
        "roll": 4_000, "dir_probability": 0.6, "fms_probability": 0.4, "fms_alpha": 0.3, "time_mask": 0,
    }  # fmt: skip
    quantisable = True
    size_settings = ("base_channels", "channels_multiplier", "expansion_rate")
    classifier = "feed_forward.0.weight"
    head = "feed_forward"

    def size(self, settings: Any) -> str:
        """Base channels: what published students are called by."""
        return str(settings.base_channels)

    def build(self, n_classes: int, **settings: Any) -> nn.Module:
        """See :class:`~asc_experiments.models.cp_mobile.CPMobile`."""
        from asc_experiments.models.cp_mobile import CPMobile

        return CPMobile(n_classes=n_classes, **settings)

    def infer_size(self, weights: Mapping[str, Tensor], given: Mapping[str, Any], where: object) -> dict[str, int]:
        """The channels of the first stage."""
        first = weights.get("in_c.1.0.weight")
        return {"base_channels": len(first)} if first is not None and first.ndim == 4 else {}
