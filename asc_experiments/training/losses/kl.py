"""Labels and the ensemble's logits: the loss of the published systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from asc_experiments.training.losses.loss import DistillationBatch, DistillationLoss, register_loss

if TYPE_CHECKING:
    from torch import Tensor, nn


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy with the true scenes.

    Args:
        logits: ``(batch, classes)``.
        labels: ``(batch,)`` int64.

    Returns:
        ``(batch,)``, per clip, so that mixup can weigh them.
    """
    from torch.nn import functional as F

    return F.cross_entropy(logits, labels, reduction="none")


def distillation_loss(
    logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: float, label_weight: float
) -> Tensor:
    """Labels and teacher together: ``λ · CE + (1 - λ) · T² · KL(teacher_T ‖ student_T)``.

    The one equation of "Creating a Good Teacher for Knowledge Distillation in Acoustic Scene Classification" (DCASE
    Workshop 2023), as the published code computes it: KL is averaged over the classes too, ten times less than
    ``reduction="batchmean"`` gives for ten scenes. The published λ of 0.02 belongs to that scale.

    Args:
        logits: the student's, ``(batch, classes)``.
        teacher_logits: the ensemble's, ``(batch, classes)``.
        labels: ``(batch,)`` int64.
        temperature: T, which softens both distributions.
        label_weight: λ.

    Returns:
        ``(batch,)``.
    """
    from torch.nn import functional as F

    student = F.log_softmax(logits / temperature, dim=-1)
    teacher = F.log_softmax(teacher_logits / temperature, dim=-1)
    divergence = F.kl_div(student, teacher, reduction="none", log_target=True).mean(dim=-1)
    return label_weight * label_loss(logits, labels) + (1 - label_weight) * temperature**2 * divergence


@register_loss
class KL(DistillationLoss):
    """See :func:`distillation_loss`.

    Attributes:
        temperature: T, softens both distributions.
        label_weight: λ, the share of the labels; its published value of 0.02 belongs to a KL averaged over classes.
    """

    name = "kl"
    temperature: float = Field(2.0, gt=0, le=100)
    label_weight: float = Field(0.02, ge=0, le=1)

    def per_clip(self, batch: DistillationBatch, heads: nn.Module) -> Tensor:
        """``(batch,)``."""
        return distillation_loss(batch.logits, batch.teacher_logits, batch.labels, self.temperature, self.label_weight)
