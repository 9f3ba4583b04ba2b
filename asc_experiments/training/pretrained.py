"""Weights that a network starts from instead of random ones: PaSST-S as published, trained on AudioSet.

K. Koutini et al., "Efficient Training of Audio Transformers with Patchout", Interspeech 2022: the network
``passt_s_swa_p16_128_ap476``. Its heads tell 527 sounds apart; the scenes get heads of their own.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor, nn

from asc_experiments.base.download import RemoteFile, download
from asc_experiments.base.errors import AscError
from asc_experiments.base.locks import lock_path

AUDIOSET = RemoteFile(
    "https://github.com/kkoutini/PaSST/releases/download/v0.0.1-audioset/passt-s-f128-p16-s10-ap.476-swa.pt",
    "sha256:302903fa8c4aee817b11dc982da0b29aaf8d11a3e722420476d0a12c9db70c2c",
)
_HEADS = ("head.1.", "head_dist.")


def audioset_weights(cache: Path) -> dict[str, Tensor]:
    """The published weights by the names of their tensors, downloaded once (345 MB) into ``<cache>/weights``.

    Raises:
        AscError: if they are not there and cannot be downloaded, or the file holds something else.
    """
    path = cache / "weights" / AUDIOSET.url.rpartition("/")[2]
    with FileLock(lock_path(cache, path.name)):
        download(AUDIOSET, path, "fetching AudioSet weights")
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        if not all(isinstance(tensor, Tensor) for tensor in weights.values()):
            raise TypeError("not only tensors")
    except (OSError, RuntimeError, EOFError, AttributeError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise AscError(path, f"holds no weights ({type(error).__name__})", "remove it; it is fetched again") from None
    return dict(weights)


def start_from(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give a PaSST published weights; its heads stay as they are.

    Raises:
        AscError: if any other tensor is missing, unknown or of another shape.
    """
    own = model.state_dict()
    wanted = {name: tensor for name, tensor in own.items() if not name.startswith(_HEADS)}
    given = {name: tensor for name, tensor in weights.items() if not name.startswith(_HEADS)}
    for name in sorted(wanted.keys() | given.keys()):
        if name not in given or name not in wanted:
            what = "is missing" if name in wanted else "is no part of the network"
            raise _mismatch(name, what)
        if given[name].shape != wanted[name].shape:
            raise _mismatch(name, f"has the shape {tuple(given[name].shape)}, not {tuple(wanted[name].shape)}")
    model.load_state_dict(own | given)


def _mismatch(name: str, what: str) -> AscError:
    return AscError("pretrained weights", f"tensor {name} {what}", "train with pretrained=none")
