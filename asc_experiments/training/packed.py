"""Networks as small as a challenge's limit asks: parameters in half precision or in int8.

What a submission ships, and what runs there: a file of tensors that is read without pickle's code, and one module per
recording device that takes log-mels. Bytes are those of the parameters, each as long as its data type, as DCASE 2025
task 1 counts; the scales of int8 weights are buffers. Batch norm folded into convolutions saves bytes, and yet costs
MACs by torchinfo's rule, which counts a folded bias at every place of the output, and a batch norm once per channel
(torchinfo 1.8.0: the baseline of 2024 and 2025 has 29,419,156 MACs with its batch norms and 30,216,768 without).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asc_experiments.base.errors import AscError
from asc_experiments.corpus.audio import read_mono
from asc_experiments.models import LogMel
from asc_experiments.models.folding import fold_batch_norm, has_batch_norm
from asc_experiments.training.inference import heard
from asc_experiments.training.network import SceneNetwork
from asc_experiments.training.recipe import Recipe

Precision = Literal["float32", "float16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("float32", "float16", "int8")
"""The finest first."""
_LARGEST = 127


class Int8Conv2d(nn.Module):
    """A convolution whose weights are int8 with a scale per output channel, computed in float32.

    torchinfo counts a convolution by its class's name, which has "Conv" in it.

    Args:
        convolution: whose weights are rounded.
    """

    scale: Tensor

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        weight = convolution.weight.detach().float()
        scale = weight.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(torch.finfo(torch.float32).tiny) / _LARGEST
        self.weight = nn.Parameter((weight / scale).round().to(torch.int8), requires_grad=False)
        self.register_buffer("scale", scale)
        bias = convolution.bias
        self.bias = None if bias is None else nn.Parameter(bias.detach().half(), requires_grad=False)
        self.settings = {
            "stride": convolution.stride, "padding": convolution.padding, "dilation": convolution.dilation,
            "groups": convolution.groups,
        }  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        """``(batch, channels, mels, frames)`` float32 to the convolution's output."""
        bias = None if self.bias is None else self.bias.float()
        return F.conv2d(features.float(), self.weight * self.scale.float(), bias, **self.settings)  # type: ignore[arg-type]


class HalfNorm(nn.Module):
    """A batch norm in evaluation mode whose parameters are of half precision, computed in float32.

    Args:
        norm: that it is made of.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(norm.weight.detach().half(), requires_grad=False)
        self.bias = nn.Parameter(norm.bias.detach().half(), requires_grad=False)
        self.register_buffer("mean", norm.running_mean)
        self.register_buffer("variance", norm.running_var)
        self.eps = norm.eps

    def forward(self, features: Tensor) -> Tensor:
        """``(batch, channels, mels, frames)`` to the same."""
        mean, variance = self.mean.float(), self.variance.float()
        return F.batch_norm(features, mean, variance, self.weight.float(), self.bias.float(), eps=self.eps)


class PackedModel(nn.Module):
    """A network for any recording device, and those for known ones, at a precision.

    Args:
        recipe: of the networks.
        scenes: in the order of the logits.
        devices: that there are networks of their own for.
        precision: of the parameters.
        folded: whether batch norms are part of the convolutions.

    Attributes:
        model: the networks: the general one first, then the devices' in their order. Each takes log-mels ``(batch, 1,
            mels, frames)`` in :attr:`dtype` and gives logits ``(batch, scenes)``.
    """

    def __init__(
        self, recipe: Recipe, scenes: Sequence[str], devices: Sequence[str], precision: Precision, folded: bool = False
    ) -> None:
        super().__init__()
        self.recipe, self.scenes, self.devices = recipe, list(scenes), list(devices)
        self.precision, self.folded = precision, folded
        self.frontend = LogMel.for_arch(recipe.arch)
        empty = _packed(SceneNetwork(recipe, tuple(scenes)).model, precision, folded)
        self.model = nn.ModuleList([empty, *(copy.deepcopy(empty) for _ in devices)])
        self.eval()

    @classmethod
    def of(cls, network: SceneNetwork, precision: Precision, folded: bool = False) -> PackedModel:
        """A network, with those for devices that were made of it, at a precision."""
        devices = sorted(network.of_devices)
        packed = cls(network.recipe, network.scenes, devices, precision, folded)
        networks = [network, *(network.of_devices[device] for device in devices)]
        packed.model = nn.ModuleList([_packed(each.model, precision, folded) for each in networks])
        return packed.eval()

    @property
    def dtype(self) -> torch.dtype:
        """Of the log-mels that the networks take."""
        return torch.float16 if self.precision == "float16" else torch.float32

    def for_device(self, device: str) -> nn.Module:
        """The network for recordings of a device; the general one where there is none of its own."""
        place = self.devices.index(device) + 1 if device in self.devices else 0
        return self.model[place]

    def log_mels(self, path: str | Path) -> Tensor:
        """What the networks take of a sound file; ``(1, 1, mels, frames)``.

        Raises:
            ValueError: saying what is wrong with the recording.
        """
        samples = torch.from_numpy(heard(*read_mono(Path(path).read_bytes())))[None]
        with torch.inference_mode():
            features = self.frontend(samples.to(self.frontend.window.device))
        return features.clone().to(self.dtype)

    def save(self, path: Path) -> None:
        """Write a file that :meth:`load` reads."""
        about = {"recipe": self.recipe.model_dump(mode="json"), "scenes": self.scenes, "devices": self.devices}
        content = {
            "about": json.dumps(about | {"precision": self.precision, "folded": self.folded}),
            "networks": self.model.state_dict(),
        }
        torch.save(content, path)

    @classmethod
    def load(cls, path: Path) -> PackedModel:
        """Read what :meth:`save` wrote, without running code in it.

        Raises:
            AscError: if it is none of that.
        """
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            about = json.loads(content["about"])
            recipe = Recipe.model_validate(about["recipe"])
            packed = cls(recipe, about["scenes"], about["devices"], about["precision"], about["folded"])
            packed.model.load_state_dict(content["networks"])
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
            raise AscError(path, f"is no packed network ({error})", "make the package again") from None
        return packed


def parameter_bytes(model: nn.Module) -> int:
    """The bytes of a module's parameters, each as long as its data type."""
    return sum(each.numel() * each.element_size() for each in model.parameters())


def _packed(model: nn.Module, precision: Precision, folded: bool) -> nn.Module:
    packed = fold_batch_norm(model) if folded and has_batch_norm(model) else copy.deepcopy(model).eval()
    packed.requires_grad_(False).to("cpu")
    if precision == "float16":
        return packed.half()
    if precision == "int8":
        for module in list(packed.modules()):
            for name, member in list(module.named_children()):
                if isinstance(member, nn.Conv2d):
                    setattr(module, name, Int8Conv2d(member))
                elif isinstance(member, nn.BatchNorm2d):
                    setattr(module, name, HalfNorm(member))
        for each in packed.parameters():
            if each.dtype == torch.float32:
                each.data = each.data.half()
    return packed
