"""CP-ResNet (K. Koutini et al., receptive-field regularised CNNs; as CP-JKU's DCASE 2023 teacher)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from asc_experiments.models.architecture import Architecture, NetworkSettings, register_architecture
from asc_experiments.models.frontend_shape import FrontendShape

if TYPE_CHECKING:
    from torch import Tensor, nn


class CPResNetSettings(NetworkSettings):
    """The size of a CP-ResNet.

    Attributes:
        arch: the architecture's name.
        base_channels: channels of the first stage.
    """

    arch: Literal["cp_resnet"] = "cp_resnet"
    base_channels: int = Field(32, ge=8, le=512, multiple_of=2)


@register_architecture
class CPResNetArchitecture(Architecture):
    """CP-ResNet, as the winner of the challenge trained it."""

    name = "cp_resnet"
    settings = CPResNetSettings
    frontend = FrontendShape(n_fft=4096, window=3072, hop=750, mels=256)
    published: ClassVar = {
        "epochs": 150, "batch_size": 256, "learning_rate": 1e-3, "weight_decay": 1e-3,
        "warmup_epochs": 15, "rampdown_start": 50, "rampdown_epochs": 85, "last_factor": 0.005,
        "roll": 4_000, "dir_probability": 0.4, "fms_probability": 0.8, "fms_alpha": 0.4, "time_mask": 0,
    }  # fmt: skip
    quantisable = True
    least_frames = 5  # of which its strides and poolings leave one
    size_settings = ("base_channels",)
    classifier = "feed_forward.0.weight"
    head = "feed_forward"

    def build(self, n_classes: int, **settings: Any) -> nn.Module:
        """See :class:`~asc_experiments.models.cp_resnet.CPResNet`."""
        from asc_experiments.models.cp_resnet import CPResNet

        return CPResNet(n_classes=n_classes, **settings)

    def infer_size(self, weights: Mapping[str, Tensor], given: Mapping[str, Any], where: object) -> dict[str, int]:
        """The channels of the first stage."""
        first = weights.get("in_c.0.weight")
        return {"base_channels": len(first)} if first is not None and first.ndim == 4 else {}
