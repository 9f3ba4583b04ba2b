"""Attention by products of matrices says what PyTorch's own attention says, and learns the same."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from asc_experiments.models import passt
from asc_experiments.models.passt import MOST_WRITTEN_OUT, attend

SHORT, LONG = 17, MOST_WRITTEN_OUT + 1


def parts(kind: torch.dtype, tokens: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, tokens, 64, generator=generator).to(kind).requires_grad_() for _ in range(3)]


def said_and_learnt(attention: object, kind: torch.dtype, tokens: int) -> list[Tensor]:
    given = parts(kind, tokens)
    mixed = attention(*given)  # type: ignore[operator]
    mixed.float().square().sum().backward()
    return [mixed.detach().float(), *(part.grad.float() for part in given)]  # type: ignore[union-attr]


@pytest.mark.parametrize("tokens", [SHORT, MOST_WRITTEN_OUT, LONG])
@pytest.mark.parametrize(("kind", "error"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
def test_attention_and_its_gradients_are_pytorchs_own(kind: torch.dtype, error: float, tokens: int) -> None:
    exact = said_and_learnt(F.scaled_dot_product_attention, torch.float32, tokens)
    for ours, theirs in zip(said_and_learnt(attend, kind, tokens), exact, strict=True):
        assert (ours - theirs).abs().max() < error * theirs.abs().max()


@pytest.mark.parametrize(
    ("kind", "tokens", "is_fused"),
    [
        (torch.bfloat16, SHORT, False), (torch.bfloat16, 110, False), (torch.bfloat16, MOST_WRITTEN_OUT, False),
        (torch.bfloat16, LONG, True), (torch.bfloat16, 1_190, True), (torch.float32, SHORT, True),
    ],
)  # fmt: skip
def test_products_are_written_out_for_few_tokens_in_bfloat16_alone(
    monkeypatch: pytest.MonkeyPatch, kind: torch.dtype, tokens: int, is_fused: bool
) -> None:
    fused: list[int] = []

    def recorded(*given: Tensor) -> Tensor:
        fused.append(given[0].shape[-2])
        return F.scaled_dot_product_attention(*given)

    monkeypatch.setattr(passt, "F", SimpleNamespace(scaled_dot_product_attention=recorded))
    with torch.no_grad():
        attend(*parts(kind, tokens))
    assert fused == [tokens] * is_fused
