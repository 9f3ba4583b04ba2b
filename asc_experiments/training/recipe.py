"""The Recipe: everything that decides how one network comes out.

A Recipe is complete: no default is left to be looked up when it is used, so that its content names the network. The
published systems' settings (DCASE 2023 winner) are the defaults of each architecture.
"""

from __future__ import annotations

import math
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError

from asc_experiments.augment.settings import Augmentation
from asc_experiments.base.errors import AscError, nearest, together
from asc_experiments.base.settings import Settings, explain
from asc_experiments.models.architecture import Architecture, NetworkSettings
from asc_experiments.models.architectures import ARCHITECTURES, architecture

AUGMENTS = ("none", "dir", "fms", "dirfms")
"""The device-generalisation methods that the paper compares."""


if TYPE_CHECKING:
    Shape = NetworkSettings
else:
    Shape = Annotated[reduce(or_, (each.settings for each in ARCHITECTURES.values())), Field(discriminator="arch")]
    """The settings of any architecture there is; ``arch`` tells which."""


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
        """The size in a word, as its architecture says it: base channels, or width × depth."""
        return ARCHITECTURES[self.arch].size(self.network)

    @property
    def name(self) -> str:
        """A short name for people, such as ``cp_resnet-32-dirfms-s0``; it does not identify the Recipe."""
        weights = f"-{self.pretrained}" if self.pretrained != "none" else ""
        return f"{self.arch}-{self.size}{weights}-{self.augment}-s{self.seed}"

    @property
    def pretrained(self) -> str:
        """The published weights that the network starts from: none or audioset."""
        return str(getattr(self.network, "pretrained", "none"))

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


_SCHEDULE = ("warmup_epochs", "rampdown_start", "rampdown_epochs")


def recipe_keys(arch: str) -> list[str]:
    """The names of all settings that a Recipe of this architecture takes."""
    known = ARCHITECTURES[arch]
    shape = [*known.settings.model_fields, *(["size"] if known.named_sizes else [])]
    return [*shape, *Augmentation.model_fields, *Optimisation.model_fields, "augment", "seed"]


def make_recipe(arch: str, /, augment: str = "none", *, origin: str = "recipe", **settings: Any) -> Recipe:
    """The published Recipe of an architecture, with some settings changed.

    When ``epochs`` is changed, the schedule is stretched with it unless it is given too.

    Args:
        arch: ``cp_mobile``, ``cp_resnet``, ``passt``, or one of an installed package.
        augment: ``none``, ``dir``, ``fms`` or ``dirfms``, with the published probabilities.
        origin: what the settings came from, for the error.
        **settings: any setting by its own name; also ``size`` where sizes have names (PaSST: ``s``, ``xs``, ``xxs``).

    Raises:
        AscError: if names or values are not valid; names each of them.
    """
    known = architecture(str(arch), origin)
    if str(augment) not in AUGMENTS:
        raise AscError(origin, f"unknown augment '{augment}'", nearest(str(augment), AUGMENTS))
    valid = recipe_keys(arch)
    wrong = [AscError(origin, f"a {arch} recipe has no '{n}'", nearest(n, valid)) for n in settings if n not in valid]
    settings = {name: value for name, value in settings.items() if name in valid}
    published = dict(known.published)
    _check_published(known, origin)
    if "dir" not in augment:
        published["dir_probability"] = 0.0
    if "fms" not in augment:
        published["fms_probability"] = 0.0
    if "size" in settings:
        settings = _named_size(known, settings, origin)
    values = published | _stretched(published, settings.get("epochs")) | settings
    values["arch"] = arch
    groups: dict[str, type[Settings]] = {"network": known.settings}
    groups |= {"augmentation": Augmentation, "optimisation": Optimisation}
    parts = {name: {key: values[key] for key in kind.model_fields if key in values} for name, kind in groups.items()}
    try:
        recipe = Recipe.model_validate({**parts, "seed": values.get("seed", 0)})
    except ValidationError as error:
        raise together([*wrong, explain(error, Recipe, origin, is_flat=True)]) from None
    if wrong:
        raise together(wrong)
    return recipe


def _check_published(known: Architecture, where: str) -> None:
    """Refuse an architecture whose published settings leave something to be looked up, or name what there is not.

    Raises:
        AscError: naming the setting.
    """
    wanted = [*Optimisation.model_fields, "dir_probability", "fms_probability", "fms_alpha", "roll", "time_mask"]
    valid = {*Optimisation.model_fields, *Augmentation.model_fields}
    for name in wanted:
        if name not in known.published:
            raise AscError(where, f"architecture '{known.name}' publishes no '{name}'", "add it to its 'published'")
    for name in known.published:
        if name not in valid:
            raise AscError(where, f"architecture '{known.name}' publishes '{name}'", nearest(name, valid))


def _named_size(known: Architecture, settings: dict[str, Any], where: str) -> dict[str, Any]:
    size, sizes = str(settings["size"]), known.named_sizes
    if size not in sizes:
        raise AscError(where, f"unknown {known.name} size '{size}'", nearest(size, sizes))
    return {**sizes[size], **{key: value for key, value in settings.items() if key != "size"}}


def _stretched(published: dict[str, Any], epochs: Any) -> dict[str, int]:
    """The published schedule for another number of epochs."""
    if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 1:
        return {}  # the validation names it
    factor = epochs / published["epochs"]
    return {key: max(1, math.floor(published[key] * factor + 0.25)) for key in _SCHEDULE}
