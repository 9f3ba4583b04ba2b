"""A network with its frontend, from waveforms to logits, and its files: a JSON description and weights, no pickle."""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from asc_experiments.base.entry_points import Source
from asc_experiments.base.errors import AscError
from asc_experiments.corpus.audio import SAMPLE_RATE
from asc_experiments.models import ARCHITECTURES, LogMel, build_model, measure_complexity
from asc_experiments.models.complexity import Complexity
from asc_experiments.models.folding import fold_batch_norm, has_batch_norm
from asc_experiments.training.recipe import Recipe, check_augmentations

_DESCRIPTION, _WEIGHTS = "network.json", "weights.safetensors"


class SceneNetwork(nn.Module):
    """Waveforms to logits: the frontend and the network of one Recipe.

    Args:
        recipe: decides architecture and size.
        scenes: the scenes' names, in the order of the logits.
        samples: how long the clips are that it is trained on, at 32 kHz: the windows that it hears afterwards.

    Attributes:
        of_devices: the networks that were made of this one for a device each, by the device's name; of the same scenes
            and shape. Empty where one network serves all.
    """

    def __init__(self, recipe: Recipe, scenes: tuple[str, ...], samples: int = SAMPLE_RATE) -> None:
        super().__init__()
        shape = recipe.network.model_dump(exclude={"pretrained"})  # where training starts is no part of the network
        arch = shape.pop("arch")
        self.recipe = recipe
        self.scenes = scenes
        self.samples = samples
        self.of_devices: dict[str, SceneNetwork] = {}  # in a dict they are no part of this one's parameters
        self.frontend = LogMel.for_arch(arch)
        self.model = build_model(arch, n_classes=len(scenes), **shape)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it

    def forward(self, waveforms: Tensor) -> Tensor:
        """``(batch, samples)`` float at 32 kHz to logits ``(batch, scenes)``."""
        return self.model(self.frontend(waveforms))

    @property
    def frames(self) -> int:
        """Of the log-mels of one clip."""
        return self.frontend.frames(self.samples)

    def complexity(self) -> Complexity:
        """Parameters, and MACs for one clip, counted on this very network."""
        return measure_complexity(self.model, self.frontend.shape.mels, self.frames)

    def for_device(self, device: str | None) -> SceneNetwork:
        """The network for recordings of a device: this one where there is none of its own, or the device is unknown."""
        return self if device is None else self.of_devices.get(device, self)

    def folded(self) -> Callable[[Tensor], Tensor]:
        """What :meth:`forward` computes in evaluation mode, faster: batch norm is part of the convolutions."""
        model = self.folded_model()
        return lambda waveforms: model(self.frontend(waveforms))

    def folded_model(self) -> nn.Module:
        """The network without its frontend, in evaluation mode, batch norm folded where there is any."""
        return fold_batch_norm(self.model) if has_batch_norm(self.model) else self.model.eval()


@functools.lru_cache(maxsize=256)
def complexity_of(recipe: Recipe, scenes: tuple[str, ...], samples: int = SAMPLE_RATE) -> Complexity:
    """What a Recipe's network costs for one clip of so many samples at 32 kHz, without training it."""
    with torch.random.fork_rng(devices=[]):
        return SceneNetwork(recipe, scenes, samples).complexity()


def save_network(network: SceneNetwork, folder: Path) -> None:
    """Write a network's description and weights into an existing folder, with the networks made of it for devices."""
    description: dict[str, Any] = {"recipe": network.recipe.model_dump(mode="json"), "scenes": list(network.scenes)}
    description["samples"] = network.samples
    source = ARCHITECTURES[network.recipe.arch].source
    if source is not None:
        description["source"] = source.model_dump()
    files = {device: f"device-{number}.safetensors" for number, device in enumerate(sorted(network.of_devices))}
    if files:  # a device's name need not be one of a file
        description["devices"] = files
    (folder / _DESCRIPTION).write_text(json.dumps(description, indent=1))
    _save_weights(network, folder / _WEIGHTS)
    for device, file in files.items():
        _save_weights(network.of_devices[device], folder / file)


def _save_weights(network: SceneNetwork, path: Path) -> None:
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.model.state_dict().items()}
    save_file(weights, path)


def load_network(folder: Path) -> SceneNetwork:
    """Read a network from its folder, in evaluation mode on the CPU.

    One that an earlier version wrote does not say how long its clips were, and hears one second, as it did there.

    Raises:
        AscError: if the files are missing, damaged, or do not fit together, or a package that they need is missing.
    """
    try:
        description = json.loads((folder / _DESCRIPTION).read_text())
        _check_source(description, folder)
        check_augmentations(description["recipe"], folder)
        recipe = Recipe.model_validate(description["recipe"])
        network = _with_weights(recipe, description, folder / _WEIGHTS)
        for device, file in description.get("devices", {}).items():
            network.of_devices[device] = _with_weights(recipe, description, folder / Path(file).name).eval()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise AscError(folder, f"holds no readable network ({error})", "train or download it again") from None
    return network.eval()


def _with_weights(recipe: Recipe, description: Mapping[str, Any], path: Path) -> SceneNetwork:
    network = SceneNetwork(recipe, tuple(description["scenes"]), int(description.get("samples", SAMPLE_RATE)))
    network.model.load_state_dict(load_file(path))
    return network


def _check_source(description: Mapping[str, Any], folder: Path) -> None:
    """Name the package that a network's architecture is from, where it is not installed, or is another version.

    Raises:
        AscError: if it is not installed.
    """
    if "source" not in description:
        return
    arch, source = description["recipe"]["network"]["arch"], Source(**description["source"])
    ARCHITECTURES.check_installed(arch, source.requirement, folder)
    installed = ARCHITECTURES[arch].source
    if installed != source:
        said = "is part of the program" if installed is None else f"is of {installed.distribution} {installed.version}"
        changed = "; its file has changed" if installed and installed.version == source.version else ""
        here = f"its architecture '{arch}' {said} here{changed}"
        trained = f"a network was trained with {source.requirement}"
        warnings.warn(f"{trained}, and {here}: its answers may differ", stacklevel=3)
