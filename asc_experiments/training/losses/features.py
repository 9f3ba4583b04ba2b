"""Labels, logits and features together: the student's embedding is drawn to those of its teachers.

Feature distillation as in FitNets (Romero et al., "FitNets: Hints for Thin Deep Nets", arXiv 1412.6550, section 2.2):
a regressor, which is thrown away afterwards, maps what the student has inside to what the teacher has there. Here it is
joint: one training on the sum, not a first stage of its own; and what is compared is the embedding, the pooled feature
that the head makes logits of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from asc_experiments.training.losses.kl import KL
from asc_experiments.training.losses.loss import DistillationBatch, register_loss

if TYPE_CHECKING:
    from torch import Tensor, nn


@register_loss
class Features(KL):
    """``KL's loss + w · mean over teachers of |projection(student) - teacher|²``, averaged over dimensions.

    Each teacher has a linear projection of its own. Teachers' embeddings are standardised, so that a projection that
    knows nothing is charged about 1, whatever the teacher's architecture and width.

    Attributes:
        temperature: T, softens both distributions.
        label_weight: λ, the share of the labels in KL's loss.
        feature_weight: w. No published value belongs to this scale: search for it. At 0 the student is that of ``kl``.
    """

    name = "features"
    needs_embeddings = True
    feature_weight: float = Field(0.1, ge=0, le=1_000)

    def heads(self, dims: int, teacher_dims: Sequence[int]) -> nn.Module:
        """A projection from the student's embedding to each teacher's."""
        from torch import nn

        return nn.ModuleList(nn.Linear(dims, each) for each in teacher_dims)

    def per_clip(self, batch: DistillationBatch, heads: nn.Module) -> Tensor:
        """``(batch,)``."""
        return super().per_clip(batch, heads) + self.feature_weight * feature_loss(batch, heads)


def feature_loss(batch: DistillationBatch, projections: nn.Module) -> Tensor:
    """How far the projected embedding is from the teachers': the squared error, over dimensions and teachers averaged.

    Args:
        batch: with embeddings.
        projections: of each teacher, as :meth:`Features.heads` makes them.

    Returns:
        ``(batch,)``.
    """
    import torch

    apart = [
        (project(batch.embeddings) - theirs).square().mean(dim=1)
        for project, theirs in zip(projections.children(), batch.teacher_embeddings, strict=True)
    ]
    return torch.stack(apart).mean(dim=0)
