"""The door through which a distillation loss comes in: one class says what it is set by, and what it charges a clip.

A loss that is registered is a choice of ``distillation.loss`` in study files and of ``--set loss=…``. Those that come
with the program use the same door. A package elsewhere opens it with an entry point of the group
``asc_experiments.losses`` that names its module::

    [project.entry-points."asc_experiments.losses"]
    soft_mse = "my_package.soft_mse"

PyTorch is not imported here, so that a report that names a loss does not wait for it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ValidationError

from asc_experiments.augment.augmentation import TAKEN
from asc_experiments.augment.settings import AugmentationSettings
from asc_experiments.base.entry_points import Registry, Source, source_of
from asc_experiments.base.errors import AscError, nearest, together
from asc_experiments.base.settings import Settings, explain
from asc_experiments.models.architectures import ARCHITECTURES

if TYPE_CHECKING:
    from torch import Tensor, nn

GROUP = "asc_experiments.losses"
"""The entry points that name modules of losses."""
PUBLISHED = "kl"
"""The loss of the published systems: what there is where none is named. Only other ones are named in what is stored."""
LOSS = "loss"
"""The setting that names a loss."""


@dataclass(frozen=True, eq=False)
class DistillationBatch:
    """What a student answered on a batch of clips, and what it should learn of them.

    Attributes:
        logits: the student's, ``(batch, scenes)`` float32, with a gradient.
        labels: ``(batch,)`` int64, indices into the scenes.
        teacher_logits: the ensemble's on the clean clips, ``(batch, scenes)`` float32.
        embeddings: the student's, ``(batch, dims)`` float32, with a gradient: what its head makes logits of, averaged
            over mels and frames. None where the loss needs none.
        teacher_embeddings: of each teacher, ``(batch, its dims)`` float32: those of the clean clips, standardised: over
            the clips that are trained on, every dimension has mean 0 and standard deviation 1. Empty likewise.
    """

    logits: Tensor
    labels: Tensor
    teacher_logits: Tensor
    embeddings: Tensor | None = None
    teacher_embeddings: tuple[Tensor, ...] = ()

    def against(self, partner: Tensor) -> DistillationBatch:
        """The same answers beside what is to be learned of other clips of the batch: of those that were mixed in.

        Args:
            partner: ``(batch,)`` int64, for each clip the place of the other one.
        """
        others = tuple(each[partner] for each in self.teacher_embeddings)
        return DistillationBatch(
            self.logits, self.labels[partner], self.teacher_logits[partner], self.embeddings, others
        )


class DistillationLoss(Settings):
    """What the program asks of a distillation loss: it is its own settings.

    Attributes:
        name: as study files and ``--set loss=`` have it.
        needs_embeddings: whether it looks at embeddings of student and teachers. Then those of each teacher are
            computed once from its stored network, and kept beside its logits.
        source: the package that it is from; none for those of the program. Given when it is registered.

    Examples:
        >>> @register_loss
        ... class SoftMSE(DistillationLoss):
        ...     name = "soft_mse"
        ...     label_weight: float = Field(0.1, ge=0, le=1)
        ...
        ...     def per_clip(self, batch: DistillationBatch, heads: nn.Module) -> Tensor:
        ...         apart = (batch.logits - batch.teacher_logits).square().mean(dim=1)
        ...         labels = F.cross_entropy(batch.logits, batch.labels, reduction="none")
        ...         return self.label_weight * labels + (1 - self.label_weight) * apart
    """

    name: ClassVar[str]
    needs_embeddings: ClassVar[bool] = False
    source: ClassVar[Source | None] = None

    @abstractmethod
    def per_clip(self, batch: DistillationBatch, heads: nn.Module) -> Tensor:
        """What each clip is charged; the mean over the batch is minimised.

        Where two clips were mixed (mixup), it is asked for either's targets, and the two are weighed by their shares.

        Args:
            batch: see :class:`DistillationBatch`.
            heads: what :meth:`heads` made.

        Returns:
            ``(batch,)`` float32.
        """

    def heads(self, dims: int, teacher_dims: Sequence[int]) -> nn.Module:
        """What is trained beside the student for the loss alone; nothing by default.

        It is part of checkpoints, so that a training resumes, and thrown away after the last epoch: the stored student
        does not have it, and its complexity does not count it.

        Args:
            dims: of the student's embedding; 0 where the loss needs none.
            teacher_dims: of each teacher's.
        """
        from torch import nn

        return nn.Module()

    def flat(self) -> dict[str, Any]:
        """Every setting by its own name, as it is logged; the loss's name too where that is not the published one."""
        named = {} if self.name == PUBLISHED else {LOSS: self.name}
        return named | self.model_dump(mode="json")

    def identity(self) -> dict[str, Any]:
        """What it adds to the keys of students: its settings, and where it is from if not from the program."""
        return self.flat() | ({} if self.source is None else {"source": self.source.model_dump()})


LOSSES: Registry[type[DistillationLoss]] = Registry("loss", GROUP)
"""Every distillation loss there is, by name, those of the program first."""


def loss_settings() -> list[str]:
    """The names of all settings of a distillation, whatever its loss; the loss itself first."""
    return [LOSS, *dict.fromkeys(name for kind in LOSSES.values() for name in kind.model_fields)]


def parse_loss(values: Mapping[str, Any], where: str) -> DistillationLoss:
    """The loss that settings describe: the published one where they name none.

    Args:
        values: ``loss`` and its settings, as YAML or JSON gives them.
        where: what they came from, for the error.

    Raises:
        AscError: naming every setting that is wrong; one of another loss is told with that.
    """
    kind = LOSSES.find(str(values.get(LOSS, PUBLISHED)), where)
    given = {name: value for name, value in values.items() if name != LOSS}
    if unknown := [name for name in given if name not in kind.model_fields]:
        raise together(_unknown(name, kind, where) for name in unknown)
    return kind.parse(given, where)


def logged_loss(params: Mapping[str, str], where: str) -> DistillationLoss:
    """The loss that a run's parameters tell of, as :meth:`DistillationLoss.flat` logged them.

    Args:
        params: every parameter of the run, as texts.
        where: the run, for the error.

    Raises:
        AscError: if there is no such loss here, or it has other settings.
    """
    kind = LOSSES.find(params.get(LOSS, PUBLISHED), where)
    values = {name: params[name] for name in kind.model_fields if name in params}
    try:
        return kind.model_validate(values, strict=False)  # texts of numbers are numbers here
    except ValidationError as error:
        raise explain(error, kind, where) from None


def _unknown(name: str, kind: type[DistillationLoss], where: str) -> AscError:
    having = [each.name for each in LOSSES.values() if name in each.model_fields]
    if having:
        what = f"loss '{kind.name}' has no '{name}'"
        return AscError(where, what, f"remove it, or set loss to {' or '.join(having)}")
    return AscError(where, f"unknown key '{name}'", nearest(name, loss_settings()))


def register_loss(kind: type[DistillationLoss]) -> type[DistillationLoss]:
    """Have a class be a distillation loss, under its ``name``.

    Raises:
        AscError: if there is another one of that name, or what it says does not fit together.
    """
    where = f"loss '{getattr(kind, 'name', kind.__name__)}'"
    if not hasattr(kind, "name"):
        raise AscError(where, "has no 'name'", "see asc_experiments.training.DistillationLoss")
    for name, field in kind.model_fields.items():
        if field.is_required():
            raise AscError(where, f"its setting '{name}' has no default", "give it one")
        if name in _taken():
            raise AscError(where, f"its setting '{name}' has the name of a setting of Recipes", "rename it")
    kind.source = source_of(kind)
    LOSSES.add(kind.name, kind)
    return kind


def _taken() -> Iterable[str]:
    """Names of a Recipe's settings, which stand beside those of losses after ``--set`` and in MLflow."""
    networks = (name for each in ARCHITECTURES.values() for name in each.settings.model_fields)
    return {*TAKEN, *AugmentationSettings.model_fields, *networks, LOSS}
