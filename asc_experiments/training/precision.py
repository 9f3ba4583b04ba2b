"""In which numbers a network computes: bfloat16 where that is faster and changes nothing that is learned.

``ASC_PRECISION=float32`` in the environment keeps everything in float32, say to compare machines of which one cannot.
"""

from __future__ import annotations

import functools
import os

import torch

from asc_experiments.base.errors import AscError
from asc_experiments.models import ARCHITECTURES
from asc_experiments.training.recipe import Recipe

BFLOAT16, FLOAT32 = "bfloat16", "float32"
_SETTING = "ASC_PRECISION"


def autocast(recipe: Recipe, device: torch.device, training: bool) -> torch.autocast:
    """A block in which networks compute in bfloat16 where :func:`computes_in_bfloat16` says so, else in float32.

    A GPU's convolutions are then of float32 too, from now on: cuDNN would round what they multiply to ten bits (TF32).
    """
    enabled = computes_in_bfloat16(recipe, device, training)
    if not enabled and device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def computes_in_bfloat16(recipe: Recipe, device: torch.device, training: bool) -> bool:
    """Whether bfloat16 is used.

    A GPU uses it for everything, a processor that multiplies it for training and for transformers: a transformer waits
    for products, of which twice as many are done in the same time; a convolutional network in training waits for
    memory, of which half as much is moved. Weights, batch norm's statistics, losses and frontends stay float32. A
    convolutional network's logits take so little time that they are computed in float32.

    Raises:
        AscError: if ``ASC_PRECISION`` is neither ``auto`` nor ``float32``.
    """
    is_able = training_format(device) == BFLOAT16
    return is_able and (training or device.type == "cuda" or ARCHITECTURES[recipe.arch].evaluates_in_bfloat16)


def training_format(device: torch.device) -> str:
    """In which numbers networks are trained, which is part of their keys: :data:`BFLOAT16` or :data:`FLOAT32`.

    Raises:
        AscError: if ``ASC_PRECISION`` is neither ``auto`` nor ``float32``.
    """
    is_able = wanted_precision() == "auto" and (device.type == "cuda" or _multiplies_bfloat16())
    return BFLOAT16 if is_able else FLOAT32


def wanted_precision() -> str:
    """What ``ASC_PRECISION`` says: ``auto``, also where it says nothing, or ``float32``.

    Raises:
        AscError: if it is neither.
    """
    wanted = os.environ.get(_SETTING) or "auto"
    if wanted not in ("auto", "float32"):
        raise AscError(f"{_SETTING}={wanted}", "is no precision", "valid: auto, float32")
    return wanted


def want_precision(wanted: str) -> None:
    """Have this process, and those that it starts, take another process's ``ASC_PRECISION``."""
    os.environ[_SETTING] = wanted


@functools.cache
def _multiplies_bfloat16() -> bool:
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
