"""A lowered network is the network, rounded once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from asc_experiments.models import build_model
from asc_experiments.training import lowering
from asc_experiments.training.embedding import hearing
from asc_experiments.training.lowering import lowered


@pytest.fixture
def passt() -> nn.Module:
    torch.manual_seed(2)
    return build_model("passt", n_classes=10, embed_dim=96, depth=2, num_heads=3).eval()


def _evaluate(model: nn.Module, features: Tensor) -> Tensor:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        return model(features).float()


@pytest.mark.parametrize("frames", [16, 40, 100])
def test_it_is_as_near_to_float32_as_under_autocast(passt: nn.Module, frames: int) -> None:
    features = torch.randn(12, 1, 128, frames)
    autocast, ours = _evaluate(passt, features), _evaluate(lowered(passt), features)
    exact = passt(features)
    assert (ours - exact).norm() <= 1.5 * (autocast - exact).norm()


def test_without_packed_weights_it_is_the_same_bits(passt: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering, "_can_pack", lambda: False)
    features = torch.randn(3, 1, 128, 40)
    assert torch.equal(_evaluate(lowered(passt), features), _evaluate(passt, features))


def test_a_clip_has_the_same_logits_in_every_batch(passt: nn.Module) -> None:
    model, features = lowered(passt), torch.randn(9, 1, 128, 100)
    alone = torch.cat([_evaluate(model, features[first : first + 1]) for first in range(9)])
    torch.testing.assert_close(_evaluate(model, features), alone, rtol=2e-2, atol=2e-2)


def test_the_network_stays_as_it_is(passt: nn.Module) -> None:
    before, features = {name: value.clone() for name, value in passt.state_dict().items()}, torch.randn(2, 1, 128, 20)
    logits = passt(features)
    _evaluate(lowered(passt), features)
    assert all(torch.equal(value, before[name]) for name, value in passt.state_dict().items())
    assert torch.equal(passt(features), logits)


def test_its_embeddings_can_be_heard(passt: nn.Module) -> None:
    model, features = lowered(passt), torch.randn(4, 1, 128, 40)
    with hearing(model, "head") as embeddings:
        _evaluate(model, features)
        assert embeddings().shape == (4, 96)


def test_a_packed_layers_weights_can_be_looked_at() -> None:
    layer = nn.Linear(64, 48).eval()
    packed = lowered(layer)
    assert torch.equal(packed.weight, layer.weight.to(torch.bfloat16))  # type: ignore[arg-type]
    assert (packed.in_features, packed.out_features) == (64, 48)


def test_network_without_linear_layers_is_lowered_to_itself() -> None:
    model = build_model("cp_mobile", n_classes=10)
    assert lowered(model) is model


class _Remembering(nn.Module):
    """Gives what its layer gave to a hook."""

    def __init__(self, out: int) -> None:
        super().__init__()
        self.layer = nn.Linear(64, out)
        self.layer.register_forward_hook(self._remember)

    def _remember(self, module: nn.Module, given: object, gives: Tensor) -> None:
        self.last = gives

    def forward(self, x: Tensor) -> Tensor:
        self.layer(x)
        return self.last


@pytest.mark.parametrize("out", [64, 10], ids=["packed", "narrow"])
def test_a_layer_that_somebody_listens_to_is_heard(out: int) -> None:
    model, x = _Remembering(out).eval(), torch.randn(3, 64)
    model(torch.zeros(3, 64))
    assert torch.equal(_evaluate(lowered(model), x), _evaluate(model, x))


@pytest.mark.parametrize("out", [64, 10], ids=["packed", "narrow"])
def test_weights_that_a_hook_makes_are_made(out: int) -> None:
    layer = nn.utils.weight_norm(nn.Linear(64, out)).eval()
    nn.init.constant_(layer.get_parameter("weight_g"), 3.0)  # as a step of training changes it
    x = torch.randn(3, 64)
    assert torch.equal(_evaluate(lowered(layer), x), _evaluate(layer, x))


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.GELU(approximate="tanh")])
def test_another_activation_stays(passt: nn.Module, activation: nn.Module) -> None:
    features = torch.randn(3, 1, 128, 40)
    for block in passt.blocks:  # type: ignore[union-attr]
        block.mlp.activation = activation
        nn.init.normal_(block.mlp.fc1.bias, -1.0, 3.0)
        nn.init.normal_(block.mlp.fc2.weight, std=1.0)
    autocast, exact = _evaluate(passt, features), passt(features)
    ours = _evaluate(lowered(passt), features)
    assert (ours - exact).norm() <= 1.5 * (autocast - exact).norm()


def test_an_activation_that_somebody_listens_to_is_heard(passt: nn.Module) -> None:
    calls: list[object] = []
    activation = passt.blocks[0].mlp.activation  # type: ignore[index, union-attr]
    activation.register_forward_hook(lambda *_: calls.append(_))
    _evaluate(lowered(passt), torch.randn(2, 1, 128, 20))
    assert len(calls) == 1
