"""Attention by products of matrices says what PyTorch's own attention says, and learns the same."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from asc_experiments.models.passt import attend


def said_and_learnt(attention: object, kind: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(2, 3, 17, 64, generator=generator).to(kind).requires_grad_() for _ in range(3)]
    mixed = attention(*parts)  # type: ignore[operator]
    mixed.float().square().sum().backward()
    return [mixed.detach().float(), *(part.grad.float() for part in parts)]  # type: ignore[union-attr]


@pytest.mark.parametrize(("kind", "error"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
def test_attention_and_its_gradients_are_pytorchs_own(kind: torch.dtype, error: float) -> None:
    exact = said_and_learnt(F.scaled_dot_product_attention, torch.float32)
    for ours, theirs in zip(said_and_learnt(attend, kind), exact, strict=True):
        assert (ours - theirs).abs().max() < error * theirs.abs().max()
