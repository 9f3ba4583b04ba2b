"""The Recipe: everything that decides how one network comes out.

A Recipe is complete: no default is left to be looked up when it is used, so that its content names the network. The
published systems' settings (DCASE 2023 winner) are the defaults of each architecture.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from asc_experiments.augment.settings import Augmentation
from asc_experiments.base.errors import AscError, nearest
from asc_experiments.base.settings import Settings
from asc_experiments.models.sizes import SIZES

AUGMENTS = ("none", "dir", "fms", "dirfms")
"""The device-generalisation methods that the paper compares."""


class CPMobileShape(Settings):
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


class CPResNetShape(Settings):
    """The size of a CP-ResNet.

    Attributes:
        arch: the architecture's name.
        base_channels: channels of the first stage.
    """

    arch: Literal["cp_resnet"] = "cp_resnet"
    base_channels: int = Field(32, ge=8, le=512, multiple_of=2)


class PaSSTShape(Settings):
    """The size of a PaSST, its patchout, and the weights it starts from.

    Attributes:
        arch: the architecture's name.
        embed_dim: width of a token.
        depth: number of blocks.
        num_heads: attention heads per block; divides ``embed_dim``.
        patchout_frequency: rows of patches dropped in training.
        pretrained: the weights that training starts from; ``audioset`` needs the size ``s``.
    """

    arch: Literal["passt"] = "passt"
    embed_dim: int = Field(768, ge=8, le=1024)
    depth: int = Field(12, ge=1, le=24)
    num_heads: int = Field(12, ge=1, le=16)
    patchout_frequency: int = Field(6, ge=0, le=11)
    pretrained: Literal["none", "audioset"] = "none"

    @model_validator(mode="after")
    def _heads_divide_width(self) -> PaSSTShape:
        if self.embed_dim % self.num_heads:
            raise ValueError(f"embed_dim {self.embed_dim} is not a multiple of num_heads {self.num_heads}")
        return self

    @model_validator(mode="after")
    def _weights_fit(self) -> PaSSTShape:
        width, depth, heads = SIZES["s"]
        if self.pretrained != "none" and (self.embed_dim, self.depth, self.num_heads) != (width, depth, heads):
            raise ValueError(
                f"pretrained {self.pretrained} needs embed_dim {width}, depth {depth} and num_heads {heads} (size s)"
            )
        return self


Shape = Annotated[CPMobileShape | CPResNetShape | PaSSTShape, Field(discriminator="arch")]


class Optimisation(Settings):
    """Adam and its schedule (see :func:`asc_experiments.training.schedule.learning_rate_factor`).

    Attributes:
        epochs: passes over the training clips.
        batch_size: clips per step.
        learning_rate: the highest.
        weight_decay: of Adam.
        warmup_epochs: epochs of exponential warm-up.
        rampdown_start: the epoch at which the linear ramp-down begins.
        rampdown_epochs: its length.
        last_factor: the learning rate after it, as a part of the highest.
    """

    epochs: int = Field(ge=1, le=10_000)
    batch_size: int = Field(ge=2, le=65_536)
    learning_rate: float = Field(gt=0, le=1)
    weight_decay: float = Field(ge=0, le=1)
    warmup_epochs: int = Field(ge=0)
    rampdown_start: int = Field(ge=0)
    rampdown_epochs: int = Field(ge=1)
    last_factor: float = Field(gt=0, le=1)


class Recipe(Settings):
    """Architecture and size, augmentation, optimisation and seed of one network."""

    network: Shape
    augmentation: Augmentation
    optimisation: Optimisation
    seed: int = Field(0, ge=0, lt=2**31)

    @property
    def arch(self) -> str:
        """The architecture's name."""
        return self.network.arch

    @property
    def augment(self) -> str:
        """The device-generalisation method: none, dir, fms or dirfms."""
        has_dir, has_fms = self.augmentation.dir_probability > 0, self.augmentation.fms_probability > 0
        return ("dir" if has_dir else "") + ("fms" if has_fms else "") or "none"

    @property
    def size(self) -> str:
        """The size in a word: base channels, or width × depth."""
        shape = self.network
        return f"{shape.embed_dim}x{shape.depth}" if isinstance(shape, PaSSTShape) else str(shape.base_channels)

    @property
    def name(self) -> str:
        """A short name for people, such as ``cp_resnet-32-dirfms-s0``; it does not identify the Recipe."""
        weights = f"-{self.pretrained}" if self.pretrained != "none" else ""
        return f"{self.arch}-{self.size}{weights}-{self.augment}-s{self.seed}"

    @property
    def pretrained(self) -> str:
        """The published weights that the network starts from: none or audioset."""
        return self.network.pretrained if isinstance(self.network, PaSSTShape) else "none"

    @property
    def needs_impulse_responses(self) -> bool:
        """Whether DIR is part of the Recipe."""
        return self.augmentation.dir_probability > 0

    def flat(self) -> dict[str, Any]:
        """Every setting under its own name, as it is logged: ``arch``, ``base_channels``, ``epochs``, …"""
        groups = (self.network, self.augmentation, self.optimisation)
        merged: dict[str, Any] = {}
        for group in groups:
            merged |= group.model_dump()
        return merged | {"seed": self.seed}


_PUBLISHED: dict[str, dict[str, Any]] = {
    "cp_mobile": {
        "epochs": 150, "batch_size": 256, "learning_rate": 9e-4, "weight_decay": 1e-4,
        "warmup_epochs": 14, "rampdown_start": 50, "rampdown_epochs": 84, "last_factor": 0.005,
        "roll": 4_000, "dir_probability": 0.6, "fms_probability": 0.4, "fms_alpha": 0.3, "time_mask": 0,
    },
    "cp_resnet": {
        "epochs": 150, "batch_size": 256, "learning_rate": 1e-3, "weight_decay": 1e-3,
        "warmup_epochs": 15, "rampdown_start": 50, "rampdown_epochs": 85, "last_factor": 0.005,
        "roll": 4_000, "dir_probability": 0.4, "fms_probability": 0.8, "fms_alpha": 0.4, "time_mask": 0,
    },
    "passt": {
        "epochs": 25, "batch_size": 80, "learning_rate": 1e-5, "weight_decay": 1e-3,
        "warmup_epochs": 3, "rampdown_start": 3, "rampdown_epochs": 10, "last_factor": 0.01,
        "roll": 10_000, "dir_probability": 0.6, "fms_probability": 0.4, "fms_alpha": 0.4, "time_mask": 20,
    },
}  # fmt: skip
_SHAPES: dict[str, type[CPMobileShape | CPResNetShape | PaSSTShape]] = {
    "cp_mobile": CPMobileShape, "cp_resnet": CPResNetShape, "passt": PaSSTShape,
}  # fmt: skip
_SCHEDULE = ("warmup_epochs", "rampdown_start", "rampdown_epochs")


def recipe_keys(arch: str) -> list[str]:
    """The names of all settings that a Recipe of this architecture takes."""
    shape = [*_SHAPES[arch].model_fields, *(["size"] if arch == "passt" else [])]
    return [*shape, *Augmentation.model_fields, *Optimisation.model_fields, "augment", "seed"]


def make_recipe(arch: str, /, augment: str = "none", *, origin: str = "recipe", **settings: Any) -> Recipe:
    """The published Recipe of an architecture, with some settings changed.

    When ``epochs`` is changed, the schedule is stretched with it unless it is given too.

    Args:
        arch: ``cp_mobile``, ``cp_resnet`` or ``passt``.
        augment: ``none``, ``dir``, ``fms`` or ``dirfms``, with the published probabilities.
        origin: what the settings came from, for the error.
        **settings: any setting by its own name; also ``size`` for PaSST: ``s``, ``xs`` or ``xxs``.

    Raises:
        AscError: if a name or a value is not valid.
    """
    if str(arch) not in _PUBLISHED:
        raise AscError(origin, f"unknown architecture '{arch}'", nearest(str(arch), _PUBLISHED))
    if str(augment) not in AUGMENTS:
        raise AscError(origin, f"unknown augment '{augment}'", nearest(str(augment), AUGMENTS))
    for name in settings:
        if name not in recipe_keys(arch):
            raise AscError(origin, f"a {arch} recipe has no '{name}'", nearest(name, recipe_keys(arch)))
    published = dict(_PUBLISHED[arch])
    if "dir" not in augment:
        published["dir_probability"] = 0.0
    if "fms" not in augment:
        published["fms_probability"] = 0.0
    if "size" in settings:
        settings = _named_size(settings, origin)
    values = published | _stretched(published, settings.get("epochs")) | settings
    values["arch"] = arch
    groups = {"network": _SHAPES[arch], "augmentation": Augmentation, "optimisation": Optimisation}
    parts = {name: {key: values[key] for key in kind.model_fields if key in values} for name, kind in groups.items()}
    return Recipe.parse({**parts, "seed": values.get("seed", 0)}, origin)


def _named_size(settings: dict[str, Any], where: str) -> dict[str, Any]:
    size = settings["size"]
    if str(size) not in SIZES:
        raise AscError(where, f"unknown PaSST size '{size}'", nearest(str(size), SIZES))
    width, depth, heads = SIZES[size]
    rest = {key: value for key, value in settings.items() if key != "size"}
    return {"embed_dim": width, "depth": depth, "num_heads": heads} | rest


def _stretched(published: dict[str, Any], epochs: Any) -> dict[str, int]:
    """The published schedule for another number of epochs."""
    if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 1:
        return {}  # the validation names it
    factor = epochs / published["epochs"]
    return {key: max(1, math.floor(published[key] * factor + 0.25)) for key in _SCHEDULE}
