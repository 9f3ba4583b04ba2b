"""The Recipe: everything that decides how one network comes out.

A Recipe is complete: no default is left to be looked up when it is used, so that its content names the network. The
published systems' settings (DCASE 2023 winner) are the defaults of each architecture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator

from asc_experiments.augment.augmentation import Augmentation
from asc_experiments.augment.augmentations import AUGMENTATIONS
from asc_experiments.augment.settings import AugmentationSettings, in_order, switched_on
from asc_experiments.base.entry_points import Source
from asc_experiments.base.errors import AscError, nearest, together
from asc_experiments.base.settings import Settings, explain
from asc_experiments.models.architecture import Architecture, NetworkSettings
from asc_experiments.models.architectures import ARCHITECTURES

AUGMENTS = ("none", "dir", "fms", "dirfms")
"""The device-generalisation methods that the paper compares."""

if TYPE_CHECKING:
    Shape = NetworkSettings
else:
    Shape = Annotated[reduce(or_, (each.settings for each in ARCHITECTURES.values())), Field(discriminator="arch")]
    """The settings of any architecture there is; ``arch`` tells which."""


class Optimisation(Settings):
    """Adam and its schedule (see :mod:`asc_experiments.training.schedule`).

    Attributes:
        epochs: passes over the training clips.
        batch_size: clips per step.
        learning_rate: the highest.
        weight_decay: of Adam.
        warmup_epochs: epochs of warm-up.
        rampdown_start: the epoch at which the ramp-down begins.
        rampdown_epochs: its length.
        last_factor: the learning rate after it, as a part of the highest.
        optimiser: ``adam``, whose weight decay is part of the gradient, or ``adamw``, where it is not.
        schedule: ``ramp``: exponential warm-up and linear ramp-down, set for each epoch; ``cosine``: linear warm-up and
            half a cosine, set for each step.
    """

    epochs: int = Field(ge=1, le=10_000)
    batch_size: int = Field(ge=2, le=65_536)
    learning_rate: float = Field(gt=0, le=1)
    weight_decay: float = Field(ge=0, le=1)
    warmup_epochs: int = Field(ge=0)
    rampdown_start: int = Field(ge=0)
    rampdown_epochs: int = Field(ge=1)
    last_factor: float = Field(ge=0, le=1)
    optimiser: Literal["adam", "adamw"] = "adam"
    schedule: Literal["ramp", "cosine"] = "ramp"


class AugmentationSource(Source):
    """Where an augmentation of a Recipe is from, by its name."""

    name: str


class Recipe(Settings):
    """Architecture and size, augmentation, optimisation and seed of one network.

    Attributes:
        sources: where its augmentations come from that are not part of the program; not written where there are none.
    """

    network: Shape
    augmentation: AugmentationSettings
    optimisation: Optimisation
    seed: int = Field(0, ge=0, lt=2**31)
    sources: tuple[AugmentationSource, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _installed(cls, values: Any) -> Any:
        try:
            check_augmentations(values, "recipe")
        except AscError as error:
            raise ValueError(f"{error.what}; {error.remedy}") from None
        return {**values, "sources": tuple(values["sources"])} if _has_sources(values) else values

    @model_validator(mode="after")
    def _have_sources(self) -> Recipe:
        known = {source.name for source in self.sources}
        for each in switched_on(self.augmentation):
            if each.source is not None and each.name not in known:
                raise ValueError(f"does not say where augmentation '{each.name}' is from")
        return self

    @model_serializer(mode="wrap")
    def _without_empty_sources(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in written(self).items() if name != "sources" or value}

    @property
    def arch(self) -> str:
        """The architecture's name."""
        return self.network.arch

    @property
    def augment(self) -> str:
        """The device-generalisation method: none, dir, fms or dirfms; after ``+`` those of installed packages."""
        on = [each for each in switched_on(self.augmentation) if each.label]
        published = "".join(each.label for each in on if each.source is None)
        return "+".join(filter(None, [published, *(each.label for each in on if each.source is not None)])) or "none"

    @property
    def size(self) -> str:
        """The size in a word, as its architecture says it: base channels, or width × depth."""
        return ARCHITECTURES[self.arch].size(self.network)

    @property
    def name(self) -> str:
        """A short name for people, such as ``cp_resnet-32-dirfms-s0``; it does not identify the Recipe."""
        return f"{self.name_but_seed}-s{self.seed}"

    @property
    def name_but_seed(self) -> str:
        """The same for networks that differ in their seed alone, such as ``cp_resnet-32-dirfms``."""
        weights = f"-{self.pretrained}" if self.pretrained != "none" else ""
        return f"{self.arch}-{self.size}{weights}-{self.augment}"

    @property
    def pretrained(self) -> str:
        """The published weights that the network starts from: none or audioset."""
        return str(getattr(self.network, "pretrained", "none"))

    @property
    def needs_impulse_responses(self) -> bool:
        """Whether DIR, or what else needs impulse responses, is part of the Recipe."""
        return any("responses" in each.needs for each in switched_on(self.augmentation))

    @property
    def needs_segments(self) -> bool:
        """Whether clips are cut anew from recordings."""
        return any("segments" in each.needs for each in switched_on(self.augmentation))

    def flat(self) -> dict[str, Any]:
        """Every setting under its own name, as it is logged: ``arch``, ``base_channels``, ``epochs``, …"""
        groups = (self.network, self.augmentation, self.optimisation)
        merged: dict[str, Any] = {}
        for group in groups:
            merged |= group.model_dump()
        return merged | {"seed": self.seed}


def check_augmentations(values: Any, where: object) -> None:
    """Name the package of an augmentation that is not installed, and not its settings, which are not known then.

    Args:
        values: a stored Recipe, as JSON has it.
        where: what it is the Recipe of, for the error.

    Raises:
        AscError: if there is one.
    """
    for source in values["sources"] if _has_sources(values) else ():
        if isinstance(source, Mapping):
            name, package = str(source.get("name")), f"{source.get('distribution')}=={source.get('version')}"
            AUGMENTATIONS.check_installed(name, package, where)


def _has_sources(values: Any) -> bool:
    return isinstance(values, Mapping) and isinstance(values.get("sources"), list | tuple)


_SCHEDULE = ("warmup_epochs", "rampdown_start", "rampdown_epochs")


def recipe_keys(arch: str) -> list[str]:
    """The names of all settings that a Recipe of this architecture takes."""
    known = ARCHITECTURES[arch]
    shape = [*known.settings.model_fields, *(["size"] if known.named_sizes else [])]
    return [*shape, *AugmentationSettings.model_fields, *Optimisation.model_fields, "augment", "seed"]


def make_recipe(arch: str, /, augment: str = "none", *, origin: str = "recipe", **settings: Any) -> Recipe:
    """The published Recipe of an architecture, with some settings changed.

    When ``epochs`` is changed, the schedule is stretched with it unless it is given too.

    Args:
        arch: ``cp_mobile``, ``cp_mobile_2024``, ``cp_resnet``, ``passt``, or one of an installed package.
        augment: ``none``, ``dir``, ``fms`` or ``dirfms``, with the published probabilities; joined by ``+`` with labels
            of installed packages' augmentations.
        origin: what the settings came from, for the error.
        **settings: any setting by its own name; also ``size`` where sizes have names (PaSST: ``s``, ``xs``, ``xxs``).

    Raises:
        AscError: if names or values are not valid; names each of them.
    """
    known = ARCHITECTURES.find(str(arch), origin)
    labels = _labels(str(augment), origin)
    valid = recipe_keys(arch)
    wrong = [AscError(origin, f"a {arch} recipe has no '{n}'", nearest(n, valid)) for n in settings if n not in valid]
    settings = {name: value for name, value in settings.items() if name in valid}
    _check_published(known, origin)
    published = dict(known.published)
    for kind in in_order():
        if kind.label:
            published[kind.switch()] = _switched(kind, known) if kind.label in labels else kind.off()
    if "size" in settings:
        settings = _named_size(known, settings, origin)
    values = published | _stretched(published, settings.get("epochs")) | settings
    values["arch"] = arch
    groups: dict[str, type[Settings]] = {"network": known.settings}
    groups |= {"augmentation": AugmentationSettings, "optimisation": Optimisation}
    parts = {name: {key: values[key] for key in kind.model_fields if key in values} for name, kind in groups.items()}
    sources = _sources(parts["augmentation"])
    try:
        recipe = Recipe.model_validate({**parts, "seed": values.get("seed", 0), "sources": sources})
    except ValidationError as error:
        raise together([*wrong, explain(error, Recipe, origin, is_flat=True)]) from None
    if wrong:
        raise together(wrong)
    return recipe


def _labels(augment: str, where: str) -> set[str]:
    """The labels that a word such as ``dirfms+hum`` joins.

    Raises:
        AscError: if there is none of such a label.
    """
    outside = {kind.label for kind in AUGMENTATIONS.values() if kind.label and kind.source is not None}
    found: set[str] = set()
    for part in augment.split("+"):
        if part not in outside and part not in AUGMENTS:
            AUGMENTATIONS.check_loaded(part, where)
            raise AscError(where, f"unknown augment '{part}'", nearest(part, (*AUGMENTS, *outside)))
        found |= {part} if part in outside else {label for label in ("dir", "fms") if label in part}
    return found


def _switched(kind: type[Augmentation], known: Architecture) -> Any:
    """The setting that switches an augmentation on, as its label means it: the architecture's, or its own."""
    return known.published.get(kind.switch(), kind.switched_on)


def _sources(settings: Mapping[str, Any]) -> tuple[dict[str, str], ...]:
    """The packages of the augmentations that settings switch on."""
    on = [kind for kind in in_order() if kind.source is not None and kind.is_on(settings)]
    return tuple({"name": kind.name, **kind.source.model_dump()} for kind in on if kind.source is not None)


def _check_published(known: Architecture, where: str) -> None:
    """Refuse an architecture whose published settings leave something to be looked up, or name what there is not.

    Raises:
        AscError: naming the setting.
    """
    clash = sorted(set(known.settings.model_fields) & set(AugmentationSettings.model_fields))
    if clash:
        what = f"architecture '{known.name}' has a setting '{clash[0]}', as an augmentation has"
        raise AscError(where, what, "rename it")
    wanted = [name for name, field in Optimisation.model_fields.items() if field.is_required()]
    wanted += ["dir_probability", "fms_probability", "fms_alpha", "roll", "time_mask"]
    valid = {*Optimisation.model_fields, *AugmentationSettings.model_fields}
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
