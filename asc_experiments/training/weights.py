"""Weights from files of other programs: read without running any code in them, matched to a network by name and shape.

The published teachers are plain state dicts under the names that the networks here have. What people commonly wrap
around one is taken off: an outer dictionary, as Lightning's, a prefix of every name, the buffers of the mel frontend.

A file of DCASE 2025 task 1 holds several networks: a general one, and one for each device that was heard in training.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from asc_experiments.base.errors import AscError
from asc_experiments.base.hashing import digest_bytes, digest_json
from asc_experiments.base.progress import say
from asc_experiments.models import ARCHITECTURES
from asc_experiments.training.network import SceneNetwork

_WRAPPERS = ("state_dict", "model", "model_state_dict")
_PREFIXES = ("model.", "net.", "module.", "multi_device_model.")
_GENERAL, _OF_DEVICES = "base_model", "device_models"
"""The names, in the baseline's files, of the general network and of those of devices."""
_FRONTEND = "mel."
_UNREADABLE = (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError)


def read_tensors(path: Path) -> Any:
    """What a PyTorch or safetensors file holds; no code in it is run.

    Raises:
        AscError: if the file is absent or damaged, or more than tensors and plain values would be needed.
    """
    if not path.is_file():
        raise AscError(path, "no such file", "give a .pt or .safetensors file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch's, of a pickle that it then refuses
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        what = "holds more than tensors, and loading it could run code"
        remedy = "save it anew where it was trained: torch.save(model.state_dict(), …)"
        raise AscError(path, what, remedy) from None
    except (*_UNREADABLE, SafetensorError) as error:
        what = f"is no whole PyTorch or safetensors file ({type(error).__name__})"
        raise AscError(path, what, "copy or download it again") from None


def read_state_dict(path: Path, device: str = "") -> dict[str, Tensor]:
    """The tensors of a network by their names here, without what is commonly wrapped around them.

    Args:
        path: a PyTorch or safetensors file.
        device: of a file of several networks, that of this recording device; the general one where it is empty.

    Raises:
        AscError: if the file cannot be read, is no state dict, or has no such network.
    """
    content = read_tensors(path)
    for name in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping) or not content:
        raise AscError(path, "is no state dict", "save one: torch.save(model.state_dict(), …)")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            what = f"is no state dict: {name!r} is a {type(value).__name__} and no tensor"
            raise AscError(path, what, "save one: torch.save(model.state_dict(), …)")
    return _one_network(_without_frontend(_without_prefix(dict(content)), path), device, path)


def infer_size(arch: str, weights: Mapping[str, Tensor], given: Mapping[str, Any], where: object) -> dict[str, int]:
    """The size of a network as its tensors tell it, as settings of a Recipe.

    Args:
        arch: the architecture.
        weights: from :func:`read_state_dict`.
        given: settings that were given; they are not inferred.
        where: the file, for the error.

    Raises:
        AscError: if the tensors do not tell all of it, and the rest is not given.
    """
    if "size" in given:
        return {}
    found = ARCHITECTURES.find(arch, str(where)).infer_size(weights, given, where)
    return {name: value for name, value in found.items() if name not in given}


def load_weights(network: SceneNetwork, weights: Mapping[str, Tensor], where: object) -> None:
    """Give a network these weights; every tensor must be there, known, of its shape, and finite.

    Raises:
        AscError: naming the first tensor that does not fit, its shape, the shape it should have, and what to change.
    """
    own = network.model.state_dict()
    _check_classes(network, weights, where)
    remedy = _size_remedy(network.recipe.arch)
    for name, tensor in own.items():
        if name not in weights:
            what = f"tensor {name} of shape {_shape(tensor)} is missing"
            raise AscError(where, what, f"give the --arch that it is of, or {remedy}")
        if weights[name].shape != tensor.shape:
            what = f"tensor {name} has the shape {_shape(weights[name])}, expected {_shape(tensor)}"
            raise AscError(where, what, f"give the --arch that it is of, or {remedy}")
        if not torch.isfinite(weights[name]).all():
            raise AscError(where, f"tensor {name} holds values that are not finite", "give weights of a whole training")
    for name in weights:
        if name not in own:
            what = f"tensor {name} of shape {_shape(weights[name])} is no part of a {network.recipe.name}"
            raise AscError(where, what, f"give the --arch that it is of, or {remedy}")
    network.model.load_state_dict(dict(weights))


def weights_digest(network: SceneNetwork) -> str:
    """The digest of a network's weights: the same however they were stored."""
    tensors = network.model.state_dict().items()
    return digest_json({name: [str(t.dtype), list(t.shape), _tensor_digest(t)] for name, t in tensors})


def _tensor_digest(tensor: Tensor) -> str:
    return digest_bytes(tensor.detach().cpu().contiguous().numpy().tobytes())


def _without_prefix(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take off a prefix that every name has; the mel frontend's may lie beside it."""
    while True:
        names = [name for name in weights if not name.startswith(_FRONTEND)]
        prefix = next((p for p in _PREFIXES if names and all(name.startswith(p) for name in names)), None)
        if prefix is None:
            return weights
        weights = {name.removeprefix(prefix): tensor for name, tensor in weights.items()}


def _without_frontend(weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    left_out = [name for name in weights if name.startswith(_FRONTEND)]
    if left_out:
        say(f"{path}: left out {', '.join(left_out)}: the mel frontend is this program's own")
    return {name: tensor for name, tensor in weights.items() if name not in left_out}


def _one_network(weights: dict[str, Tensor], device: str, path: Path) -> dict[str, Tensor]:
    """One of several networks, without its prefix; all tensors where there is but one.

    Raises:
        AscError: naming the networks that there are.
    """
    networks: dict[str, dict[str, Tensor]] = {}
    for name, tensor in weights.items():
        owner, _, rest = name.partition(".")
        if owner == _OF_DEVICES:
            owner, _, rest = rest.partition(".")
        elif owner == _GENERAL:
            owner = ""
        else:
            networks = {}
            break
        networks.setdefault(owner, {})[rest] = tensor
    devices = ", ".join(filter(None, networks))
    if not networks and not device:
        return weights
    if not networks:
        raise AscError(f"--device {device}", f"{path.name} holds one network, for every device", "omit it")
    if device not in networks:
        there = f"those of {devices}" if devices else "no device's"
        there += " and a general one" if "" in networks else ""
        what = f"holds no network of device '{device}', but {there}" if device else f"holds {there}, no general one"
        remedy = "omit --device for the general one" if "" in networks else f"give --device {next(iter(networks))}"
        raise AscError(path, what, remedy)
    if not device and devices:
        say(f"{path}: took the general network; --device takes that of {devices}")
    return networks[device]


def _check_classes(network: SceneNetwork, weights: Mapping[str, Tensor], where: object) -> None:
    name = ARCHITECTURES[network.recipe.arch].classifier
    if name in weights and weights[name].ndim and len(weights[name]) != len(network.scenes):
        what = f"tensor {name} has the shape {_shape(weights[name])}: {len(weights[name])} scenes"
        remedy = f"give the --corpus that it was trained on; this one has {len(network.scenes)} scenes"
        raise AscError(where, what, remedy)


def _size_remedy(arch: str) -> str:
    return "give its size: " + " ".join(f"--set {name}=…" for name in ARCHITECTURES[arch].size_settings)


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
