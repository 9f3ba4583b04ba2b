"""A network with its batch norms folded says the same."""

import pytest
import torch
from torch import nn

from asc_experiments.models import build_model
from asc_experiments.models.folding import fold_batch_norm, has_batch_norm


def trained(arch: str, **size: object) -> nn.Module:
    """A network whose batch norms have seen something."""
    torch.manual_seed(0)
    model = build_model(arch, n_classes=10, **size)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.3, 3)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    return model


@pytest.mark.parametrize(("arch", "size"), [("cp_mobile", 8), ("cp_mobile", 32), ("cp_resnet", 16)])
@torch.no_grad()
def test_folded_network_gives_the_same_logits_without_a_batch_norm(arch: str, size: int) -> None:
    model = trained(arch, base_channels=size)
    features = torch.randn(3, 1, 256, 64)
    folded = fold_batch_norm(model)
    assert has_batch_norm(model)
    assert not has_batch_norm(folded)
    torch.testing.assert_close(folded(features), model.eval()(features), atol=1e-4, rtol=1e-4)


def test_folding_leaves_the_network_as_it_was() -> None:
    model = trained("cp_mobile", base_channels=8).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folded = fold_batch_norm(model)
    for value in folded.parameters():
        value.data.zero_()
    assert model.training
    assert not folded.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_transformer_has_nothing_to_fold() -> None:
    assert not has_batch_norm(build_model("passt", size="xxs"))
