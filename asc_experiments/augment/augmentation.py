"""The door through which an augmentation comes in: one class says what it is set by, when its turn is, what it does.

An augmentation that is registered has its settings in every Recipe, in study files and after ``--set``. Those that come
with the program use the same door. A package elsewhere opens it with an entry point of the group
``asc_experiments.augmentations`` that names its module::

    [project.entry-points."asc_experiments.augmentations"]
    hum = "my_package.hum"

PyTorch is not imported here, so that a report that reads a Recipe does not wait for it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_args

import numpy as np
from pydantic import BaseModel

from asc_experiments.base.entry_points import Registry, Source, source_of
from asc_experiments.base.errors import AscError, nearest
from asc_experiments.base.settings import Settings

if TYPE_CHECKING:
    from asc_experiments.augment.batch import Batch

GROUP = "asc_experiments.augmentations"
"""The entry points that name modules of augmentations."""
Stage = Literal["clips", "waveforms", "features", "mixing"]
"""When: before clips are read, on waveforms, on log-mels, or last, on log-mels that are mixed together with targets."""
STAGES: tuple[Stage, ...] = get_args(Stage)
TAKEN = (
    "seed", "augment", "size", "origin", "arch", "pretrained", "sources", "epochs", "batch_size", "learning_rate",
    "weight_decay", "warmup_epochs", "rampdown_start", "rampdown_epochs", "last_factor", "optimiser", "schedule",
)  # fmt: skip
"""Names of a Recipe's other settings."""
_OFF = (None, "", "none")


class Augmentation(Settings):
    """What the program asks of an augmentation: it is its own settings.

    Each setting is called as the augmentation, or begins with that and ``_``: settings of all augmentations stand side
    by side in a Recipe, in study files and after ``--set``. The first one switches it: off at ``0``, ``false`` or
    ``none``. What is off draws no random number and changes no key.

    Attributes:
        name: of the entry point, and of its settings.
        stage: when its turn is.
        order: when within the stage, ascending. Those of the program have 10, 20, …
        label: how it is called in a network's short name and after ``--augment``; empty where it is in neither.
        in_words: what it does, for a report, such as "tape hiss"; the label where it is empty.
        switched_on: the first setting's value where ``--augment`` names it and no other is given.
        needs: what it cannot do without, of ``responses`` (device impulse responses) and ``segments`` (the recordings
            that clips were cut from).
        keeps_clips: whether teachers' logits on the clean clip still belong to what comes out; without that no student
            of teachers is trained with it.
        source: the package that it is from; none for those of the program. Given when it is registered.

    Examples:
        >>> @register_augmentation
        ... class Gain(Augmentation):
        ...     name = "gain"
        ...     stage = "waveforms"
        ...     gain_db: float = Field(0.0, ge=0, le=40)
        ...
        ...     def apply(self, batch: Batch, rng: np.random.Generator) -> None:
        ...         factors = 10 ** (rng.uniform(-self.gain_db, self.gain_db, size=len(batch.rows)) / 20)
        ...         batch.waveforms = batch.waveforms * batch.send(factors.astype(np.float32)).unsqueeze(1)
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]
    order: ClassVar[int] = 100
    label: ClassVar[str] = ""
    in_words: ClassVar[str] = ""
    switched_on: ClassVar[Any] = None
    needs: ClassVar[tuple[Literal["responses", "segments"], ...]] = ()
    keeps_clips: ClassVar[bool] = True
    source: ClassVar[Source | None] = None

    @abstractmethod
    def apply(self, batch: Batch, rng: np.random.Generator) -> None:
        """Change a batch; tensors that are in it are replaced, not written into.

        Args:
            batch: see :class:`~asc_experiments.augment.batch.Batch`.
            rng: the training's. The same draws in the same order give the same network.
        """

    @classmethod
    def switch(cls) -> str:
        """The name of the setting that switches it."""
        return next(iter(cls.model_fields))

    @classmethod
    def is_on(cls, settings: Mapping[str, Any] | BaseModel) -> bool:
        """Whether settings, which may be those of other augmentations too, switch it on."""
        of, default = cls.switch(), cls.model_fields[cls.switch()].default
        value = settings.get(of, default) if isinstance(settings, Mapping) else getattr(settings, of, default)
        return not is_off(value)

    @classmethod
    def off(cls) -> Any:
        """The value of its first setting that switches it off."""
        default = cls.model_fields[cls.switch()].default
        return default if is_off(default) else type(default)(0)

    @classmethod
    def of(cls, settings: BaseModel) -> Self:
        """The augmentation with its own part of the settings of all."""
        return cls.model_validate({name: getattr(settings, name) for name in cls.model_fields})


def is_off(value: Any) -> bool:
    """Whether a setting of this value, as JSON has it, switches nothing on."""
    return value in _OFF or value == 0 or value in ([], {})


AUGMENTATIONS: Registry[type[Augmentation]] = Registry("augmentation", GROUP)
"""Every augmentation there is, by name, those of the program first."""


def acting(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those of augmentations that are off, except the one of each that says so.

    Args:
        settings: of all augmentations, as a Recipe has them; others stay.
    """
    idle: set[str] = set()
    for kind in AUGMENTATIONS.values():
        if not kind.is_on(settings):
            idle |= set(kind.model_fields) - {kind.switch()}
    return {name: value for name, value in settings.items() if name not in idle}


def register_augmentation(kind: type[Augmentation]) -> type[Augmentation]:
    """Have a class be an augmentation, under its ``name``.

    Raises:
        AscError: if there is another one of that name, or what it says does not fit together.
    """
    where = f"augmentation '{getattr(kind, 'name', kind.__name__)}'"
    for wanted in ("name", "stage"):
        if not hasattr(kind, wanted):
            raise AscError(where, f"has no '{wanted}'", "see asc_experiments.augment.Augmentation")
    if kind.stage not in STAGES:
        raise AscError(where, f"its stage is {kind.stage!r}", nearest(str(kind.stage), STAGES))
    if not kind.model_fields:
        raise AscError(where, "has no setting that switches it on", f"add one, such as {kind.name}_probability")
    _check_settings(kind, where)
    kind.source = source_of(kind)
    if kind.source is not None:
        _check_outside(kind, where)
    AUGMENTATIONS.add(kind.name, kind)
    return kind


def _check_settings(kind: type[Augmentation], where: str) -> None:
    for name, field in kind.model_fields.items():
        if name != kind.name and not name.startswith(f"{kind.name}_"):
            raise AscError(where, f"its setting '{name}' does not begin with its name", f"call it {kind.name}_{name}")
        if name in TAKEN:
            raise AscError(where, f"its setting '{name}' has the name of a setting of every Recipe", "rename it")
        if any(name in other.model_fields for other in AUGMENTATIONS.values() if other.name != kind.name):
            raise AscError(where, f"its setting '{name}' is another augmentation's", "rename it")
        if field.is_required():
            raise AscError(where, f"its setting '{name}' has no default", "give it one")


def _check_outside(kind: type[Augmentation], where: str) -> None:
    """Installing a package changes no training; a label switches something on, and is told from others."""
    switch = kind.switch()
    if not is_off(kind.model_fields[switch].default):
        raise AscError(where, f"its first setting '{switch}' is on by default", "have 0, False or 'none' switch it off")
    if not kind.label:
        return
    if is_off(kind.switched_on):
        raise AscError(where, "has a label, and no switched_on", f"say which '{switch}' --augment {kind.label} means")
    taken = {"none", "dirfms", *(each.label for each in AUGMENTATIONS.values())}
    if not kind.label.isidentifier() or kind.label in taken:
        raise AscError(where, f"its label '{kind.label}' is taken, or no word", "give it another")
