"""Fused networks are the networks that they are made of."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from asc_experiments.models import build_model
from asc_experiments.models.folding import fold_batch_norm
from asc_experiments.training import ClipSource, Trainer, make_recipe
from asc_experiments.training.fused import fuse, fused_training

pytestmark = pytest.mark.skipif(fused_training() is None, reason="no C++ compiler, or no AVX-512")

SCENES = tuple("abcdefghij")
_NETWORKS: dict[str, dict[str, object]] = {
    "cp_mobile": {"base_channels": 16, "channels_multiplier": 2.0, "expansion_rate": 2.0},
    "cp_resnet": {"base_channels": 32},
}


def _network(arch: str) -> nn.Module:
    """A network past its beginning, when many of its parameters are zero."""
    torch.manual_seed(3)
    model = build_model(arch, n_classes=10, **_NETWORKS[arch]).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for name, parameter in model.named_parameters():
        if name.endswith(("gamma", "beta")):
            nn.init.constant_(parameter, 0.2)
        elif parameter.dim() == 1:
            nn.init.uniform_(parameter, 0.5, 1.0)
        elif not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return model.train()


def _learn(called: nn.Module, owner: nn.Module, features: Tensor) -> Tensor:
    labels = torch.arange(len(features)) % 10
    logits = called(features)
    owner.zero_grad()
    nn.functional.cross_entropy(logits, labels).backward()
    return logits.detach()


@pytest.mark.parametrize("arch", _NETWORKS)
def test_logits_gradients_and_statistics_are_those_of_the_network(arch: str) -> None:
    theirs, ours = _network(arch), _network(arch)
    fused, features = fuse(ours), torch.randn(12, 1, 64, 20)
    assert fused is not ours
    logits, expected = _learn(fused, ours, features), _learn(theirs, theirs, features)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    for (name, of_ours), of_theirs in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert of_ours.grad is not None
        assert of_theirs.grad is not None
        error = (of_ours.grad - of_theirs.grad).norm() / (of_theirs.grad.norm() + 1e-3)
        assert error < 2e-2, name  # a ReLU or two fall to the other side by the last bit
    for (name, buffer), of_theirs in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(buffer, of_theirs, rtol=1e-4, atol=1e-4, msg=name)


@pytest.mark.parametrize("arch", _NETWORKS)
def test_in_float64_terms_it_is_as_near_as_pytorchs_own(arch: str) -> None:
    model, features = _network(arch), torch.randn(12, 1, 64, 20)
    exact = copy.deepcopy(model).double()(features.double())
    fused, own = fuse(copy.deepcopy(model))(features), copy.deepcopy(model)(features)
    assert (fused - exact).norm() <= 2 * (own - exact).norm()


def test_what_is_trained_is_the_networks_own() -> None:
    model = _network("cp_mobile")
    names, before = list(model.state_dict()), copy.deepcopy(model.state_dict())
    _learn(fuse(model), model, torch.randn(8, 1, 64, 20))
    assert list(model.state_dict()) == names
    assert all(parameter.grad is not None for parameter in model.parameters())
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in names if "running" in name or "batches" in name}


@pytest.mark.parametrize("arch", _NETWORKS)
def test_a_network_whose_batch_norms_are_folded_is_left_as_it_is(arch: str) -> None:
    folded = fold_batch_norm(_network(arch)).train()
    assert fuse(folded) is folded


def test_a_model_in_the_networks_place_is_what_is_trained() -> None:
    labels, waveforms = np.arange(10), np.zeros((10, 8_000), dtype=np.int16)
    clips = ClipSource(waveforms, labels, np.zeros(10, dtype=bool), torch.device("cpu"))
    trainer = Trainer(make_recipe("cp_mobile", base_channels=16, epochs=1, batch_size=8), clips, SCENES)
    other = fold_batch_norm(trainer.network.model)
    trainer.train_instead(other)
    assert trainer.model is trainer.network.model is other


def test_a_transformer_is_left_as_it_is() -> None:
    model = build_model("passt", n_classes=10, embed_dim=96, depth=1)
    assert fuse(model) is model


def test_a_width_that_the_operations_do_not_take_is_left_as_it_is() -> None:
    model = nn.Sequential(nn.Sequential(nn.Conv2d(1, 12, 3, bias=False), nn.BatchNorm2d(12), nn.ReLU()))
    assert fuse(model) is model


class _Pair(nn.Sequential):
    """What might do more than one member after the other."""


@pytest.mark.parametrize("kind", [nn.Sequential, _Pair])
def test_sequences_are_fused_and_classes_made_of_them_are_not(kind: type[nn.Sequential]) -> None:
    model = nn.Sequential(kind(nn.Conv2d(1, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU()), nn.Flatten())
    assert (fuse(model) is model) == (kind is _Pair)


@pytest.mark.parametrize("part", ["0", "0.0", "0.1", "0.2"])
def test_what_somebody_listens_to_is_left_as_it_is(part: str) -> None:
    model = nn.Sequential(nn.Sequential(nn.Conv2d(1, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU()))
    model.get_submodule(part).register_forward_hook(lambda *_: None)
    assert fuse(model) is model


def test_a_block_that_somebody_listens_to_is_fused_inside_alone() -> None:
    ours, theirs = _network("cp_mobile"), _network("cp_mobile")
    calls: list[object] = []
    ours.get_submodule("stages.s1.b1").register_forward_hook(lambda *_: calls.append(1))
    fused, features = fuse(ours), torch.randn(12, 1, 64, 20)
    torch.testing.assert_close(fused(features), theirs(features), rtol=1e-4, atol=1e-4)
    assert calls == [1]


def test_statistics_that_somebody_keeps_as_they_are_are_kept() -> None:
    model = nn.Sequential(nn.Sequential(nn.Conv2d(1, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU())).train()
    fused, features = fuse(model), 5 * torch.randn(4, 1, 9, 9)
    model[0][1].eval()  # type: ignore[index]
    assert fused is not model
    torch.testing.assert_close(fused(features), model(features))
    assert not model[0][1].running_mean.any()  # type: ignore[index]


@pytest.mark.parametrize("arch", _NETWORKS)
def test_statistics_of_blocks_that_somebody_keeps_as_they_are_are_kept(arch: str) -> None:
    ours, theirs, features = _network(arch), _network(arch), 3 + torch.randn(6, 1, 64, 20)
    fused = fuse(ours)
    for model in (ours, theirs):
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    before = {name: value.clone() for name, value in ours.named_buffers()}
    torch.testing.assert_close(_learn(fused, ours, features), _learn(theirs, theirs, features), rtol=1e-4, atol=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in ours.named_buffers())
    torch.testing.assert_close(
        [each.grad for each in ours.parameters()], [each.grad for each in theirs.parameters()], rtol=1e-3, atol=1e-4
    )


def test_what_is_heard_stays_a_module_of_its_name() -> None:
    model = nn.Sequential(nn.Sequential(nn.Conv2d(1, 16, 3, bias=False), nn.BatchNorm2d(16)), nn.Flatten())
    assert fuse(model, heard="1") is not model
    assert fuse(model, heard="0.1") is model


def test_statistics_of_no_norm_are_kept_where_it_keeps_none() -> None:
    norm = nn.BatchNorm2d(16, track_running_stats=False)
    model = nn.Sequential(nn.Sequential(nn.Conv2d(1, 16, 3, bias=False), norm, nn.ReLU()))
    assert fuse(model) is model


@pytest.mark.parametrize("arch", _NETWORKS)
@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_trained_with_and_without_it_learns_the_same(
    arch: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first epochs' losses: later ones differ by how single ReLUs fell, as on another processor."""
    monkeypatch.setenv("ASC_PRECISION", precision)
    rng = np.random.default_rng(1)
    labels = np.arange(40) % 10
    tones = np.sin(np.arange(16_000) * (labels[:, None] + 1) / 20)
    waveforms = (8_000 * tones + rng.normal(0, 500, tones.shape)).astype(np.int16)
    clips = ClipSource(waveforms, labels, np.zeros(40, dtype=bool), torch.device("cpu"))
    recipe = make_recipe(arch, base_channels=16, epochs=3, batch_size=8, learning_rate=1e-3)

    def losses(fused: str) -> list[float]:
        monkeypatch.setenv("ASC_FUSED", fused)
        trainer = Trainer(recipe, clips, SCENES)
        assert (trainer.model is trainer.network.model) == (fused == "off")
        return [trainer.train_epoch(np.arange(40)) for _ in range(3)]

    np.testing.assert_allclose(losses("auto"), losses("off"), rtol=0.05)
