"""A network architecture as another package would add it: this one file, and a line of the package's description."""

from typing import Any, Literal

from pydantic import Field
from torch import Tensor, nn

from asc_experiments.models import Architecture, FrontendShape, NetworkSettings, register_architecture


class TinyNetSettings(NetworkSettings):
    """The size of a TinyNet."""

    arch: Literal["tiny_net"] = "tiny_net"
    channels: int = Field(8, ge=2, le=64)


class Network(nn.Module):
    """Two convolutions, a mean over time and frequency, a linear layer."""

    def __init__(self, n_classes: int, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, channels, 5, stride=4), nn.BatchNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, stride=2), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(channels, n_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Log-mels ``(batch, 1, mels, frames)`` to logits ``(batch, n_classes)``."""
        return self.head(self.body(features).mean((2, 3)))


@register_architecture
class TinyNet(Architecture):
    """Made up, for tests."""

    name = "tiny_net"
    settings = TinyNetSettings
    frontend = FrontendShape(n_fft=2048, window=1024, hop=500, mels=64)
    published = {  # noqa: RUF012
        "epochs": 4, "batch_size": 32, "learning_rate": 1e-2, "weight_decay": 0.0, "warmup_epochs": 1,
        "rampdown_start": 2, "rampdown_epochs": 2, "last_factor": 0.1, "roll": 0, "dir_probability": 0.5,
        "fms_probability": 0.5, "fms_alpha": 0.4, "time_mask": 0,
    }  # fmt: skip
    size_settings = ("channels",)

    def build(self, n_classes: int, **settings: Any) -> nn.Module:
        """Two convolutions."""
        return Network(n_classes, **settings)
