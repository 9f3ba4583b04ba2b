"""The door through which an architecture comes in: one class says everything that the program asks of it.

A class that is registered has a Recipe, is searched over by studies, trained, distilled, counted, stored, registered
and exported like any other. Those that come with the program use the same door. A package elsewhere opens it with an
entry point of the group ``asc_experiments.architectures`` that names its module::

    [project.entry-points."asc_experiments.architectures"]
    tiny_net = "my_package.tiny_net"

PyTorch is not imported here, so that a report that reads a Recipe does not wait for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from asc_experiments.base.entry_points import Registry, Source, source_of
from asc_experiments.base.errors import AscError, nearest
from asc_experiments.base.settings import Settings
from asc_experiments.models.frontend_shape import FrontendShape

if TYPE_CHECKING:
    from torch import Tensor, nn

_TAKEN = ("seed", "augment", "size", "origin", "epochs", "batch_size", "learning_rate")
_RATE = 32_000
GROUP = "asc_experiments.architectures"
"""The entry points that name modules of architectures."""


class NetworkSettings(Settings):
    """The settings of a network; a subclass narrows ``arch`` to its own name and adds its sizes.

    Attributes:
        arch: the architecture's name.
    """

    arch: str


class Architecture(ABC):
    """What the program asks of an architecture.

    Attributes:
        name: as Recipes, study files and ``--arch`` have it.
        settings: its settings; ``arch`` is a ``Literal`` of the name, and every other field has a default.
        frontend: the log-mel frontend that its networks hear through.
        published: the defaults of training: all of ``Optimisation``, and of augmentations what differs from theirs.
            ``dir_probability`` and ``fms_probability`` are those that ``--augment dirfms`` switches on.
        evaluates_in_bfloat16: whether a processor that multiplies bfloat16 computes logits in it. It pays where a
            network waits for products (transformers), not where it waits for memory (convolutions).
        evaluation_clips: clips of a second that a thread takes through the network at a time on a CPU: as many as its
            cache holds.
        quantisable: whether ``asc export --int8`` knows how to quantise it: convolutions, batch norm and ReLU.
        most_frames: of log-mels that its networks take, where they take no more; 0 for any number.
        repeated: the setting that counts equal layers which follow each other: a plan times networks of none and of
            one of them, or of one and two where there is none without.
        least_frames: of log-mels that its networks take: fewer would leave nothing to convolve or to pool.
        most_frames: the same, where they take no more; 0 for any number.
        size_settings: names of the settings that decide shapes of tensors, for the advice where weights do not fit.
        classifier: the tensor whose first dimension is the scenes; empty where none is.
        head: the module that makes logits of the embedding: of ``(batch, dims)``, or of ``(batch, dims, mels, frames)``
            whose mean over mels and frames it is then. Losses that compare features need it; empty where none is.

    Examples:
        >>> @register_architecture
        ... class TinyNet(Architecture):
        ...     name = "tiny_net"
        ...     settings = TinyNetSettings
        ...     frontend = FrontendShape(n_fft=2048, window=1024, hop=512, mels=64)
        ...     published = {"epochs": 50, "batch_size": 64, ...}
        ...
        ...     def build(self, n_classes: int, **settings: Any) -> nn.Module:
        ...         return Network(n_classes, **settings)
    """

    name: ClassVar[str]
    settings: ClassVar[type[NetworkSettings]]
    frontend: ClassVar[FrontendShape]
    published: ClassVar[Mapping[str, Any]]
    evaluates_in_bfloat16: ClassVar[bool] = False
    evaluation_clips: ClassVar[int] = 32
    quantisable: ClassVar[bool] = False
    repeated: ClassVar[str] = ""
    least_frames: ClassVar[int] = 1
    most_frames: ClassVar[int] = 0
    size_settings: ClassVar[tuple[str, ...]] = ()
    classifier: ClassVar[str] = ""
    head: ClassVar[str] = ""
    source: Source | None = None
    """None of those that come with the program; given when it is registered."""

    @abstractmethod
    def build(self, n_classes: int, **settings: Any) -> nn.Module:
        """An untrained network from log-mels ``(batch, 1, mels, frames)`` to logits ``(batch, n_classes)``.

        Args:
            n_classes: number of scenes.
            **settings: fields of :attr:`settings`, without ``arch`` and ``pretrained``; its own defaults for the rest.
        """

    def limit(self, samples: int) -> str:
        """What its networks take where that is not waveforms of this length at 32 kHz; empty where they take it."""
        least = max(self.frontend.least_samples, self.frontend.samples(self.least_frames))
        if samples < least:
            return f"at least {least / _RATE:.3g} s"
        if 0 < self.most_frames < self.frontend.frames(samples):
            return f"at most {self.most_frames * self.frontend.hop / _RATE:g} s"
        return ""

    @property
    def named_sizes(self) -> Mapping[str, Mapping[str, Any]]:
        """Settings that a name given as ``size`` stands for; none by default."""
        return {}

    def size(self, settings: Any) -> str:
        """The size in a word, for people: all of :attr:`size_settings` by default, such as ``96x3``."""
        return "x".join(str(getattr(settings, name)) for name in self.size_settings) or "default"

    def infer_size(self, weights: Mapping[str, Tensor], given: Mapping[str, Any], where: object) -> dict[str, int]:
        """Settings as the tensors of published weights tell them; none by default.

        Args:
            weights: by name.
            given: settings that were given.
            where: the file, for the error.
        """
        return {}


ARCHITECTURES: Registry[Architecture] = Registry("architecture", GROUP)
"""Every architecture there is, by name, those of the program first."""


def register_architecture(kind: type[Architecture]) -> type[Architecture]:
    """Have a class be an architecture, under its ``name``.

    Raises:
        AscError: if there is another one of that name, or what it says does not fit together.
    """
    where = f"architecture '{getattr(kind, 'name', kind.__name__)}'"
    for wanted in ("name", "settings", "frontend", "published"):
        if not hasattr(kind, wanted):
            raise AscError(where, f"has no '{wanted}'", "see asc_experiments.models.Architecture")
    arch = kind.settings.model_fields["arch"]
    if get_args(arch.annotation) != (kind.name,) or arch.default != kind.name:
        what = f"its settings have arch: {getattr(arch.annotation, '__name__', arch.annotation)} = {arch.default!r}"
        raise AscError(where, what, f"write arch: Literal['{kind.name}'] = '{kind.name}'")
    made = kind()
    _check_settings(made, where)
    made.source = source_of(kind)
    ARCHITECTURES.add(kind.name, made)
    return kind


def _check_settings(made: Architecture, where: str) -> None:
    """Refuse settings without a default or with a Recipe's name, and sizes that name no setting.

    Raises:
        AscError: naming the setting.
    """
    fields = made.settings.model_fields
    for name, field in fields.items():
        if field.is_required():
            raise AscError(where, f"its setting '{name}' has no default", "give it one")
        if name in _TAKEN:
            raise AscError(where, f"its setting '{name}' has the name of a setting of every Recipe", "rename it")
    for name in made.size_settings:
        if name not in fields:
            raise AscError(where, f"size_settings names '{name}', which is no setting", nearest(name, fields))
    for size, values in made.named_sizes.items():
        if not isinstance(values, Mapping):
            raise AscError(where, f"its size '{size}' is {values!r}", "write a mapping of settings to values")
        made.settings.parse(dict(values), f"{where}, size '{size}'")
