"""Fine-tuning computes with the values that the exported file will have, and changes nothing but weights."""

import numpy as np
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from asc_experiments.distill import TrainingContext
from asc_experiments.edge.comparison import calibration_batches
from asc_experiments.edge.finetune import Int8Conv2d, fine_tune, rounded_kernel, tuning_recipe
from asc_experiments.edge.graph import network_graph
from asc_experiments.edge.quantise import quantise
from asc_experiments.edge.running import OnnxNetwork
from asc_experiments.models.cp_mobile import CPMobileBlock
from asc_experiments.models.folding import fold_batch_norm
from asc_experiments.training import KL, SceneNetwork, SoftTargets
from asc_experiments.training.loop import predict_logits
from tests.edge.conftest import graph_of, scramble, scrambled, sounds, tiny


def test_kernels_are_rounded_as_onnxruntime_rounds_them() -> None:
    network = scrambled(tiny())
    model = quantise(graph_of(tiny()), [network.frontend(sounds(4)).numpy()])
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    stored, scales = (tensors[f"in_c.1.0.weight_{part}"] for part in ("quantized", "scale"))
    kernel = fold_batch_norm(network.model).in_c[1][0].weight.detach()
    assert np.allclose(rounded_kernel(kernel).numpy(), stored * scales.reshape(-1, 1, 1, 1), atol=1e-6)


def test_input_takes_at_most_256_values_and_gradients_pass() -> None:
    torch.manual_seed(0)
    conv = Int8Conv2d(nn.Conv2d(1, 1, 1))
    nn.init.ones_(conv.conv.weight)
    nn.init.zeros_(conv.conv.bias)
    x = torch.randn(2, 1, 40, 40, requires_grad=True)
    y = conv(x)
    assert len(y.unique()) <= 256
    assert (y - x).abs().max() < (x.max() - x.min()) / 255
    y.sum().backward()
    assert torch.allclose(x.grad, torch.ones_like(x))
    assert conv.conv.weight.grad.abs() > 0


def test_ranges_are_kept_in_evaluation_mode() -> None:
    conv = Int8Conv2d(nn.Conv2d(1, 1, 1))
    conv(torch.linspace(-1, 1, 16).view(1, 1, 4, 4))
    before = conv.high.clone()
    conv.eval()(100 * torch.ones(1, 1, 4, 4))
    assert torch.equal(conv.high, before)


def test_recipe_for_tuning_differs_only_in_its_optimisation() -> None:
    recipe = tiny("dirfms", epochs=20, learning_rate=2e-3)
    tuned = tuning_recipe(recipe, 4)
    assert (tuned.network, tuned.augmentation, tuned.seed) == (recipe.network, recipe.augmentation, recipe.seed)
    assert tuned.optimisation.epochs == 4
    assert tuned.optimisation.learning_rate < 0.2 * recipe.optimisation.learning_rate
    assert tuned.optimisation.batch_size == recipe.optimisation.batch_size


@pytest.mark.parametrize("is_taught", [True, False])
def test_tuned_network_is_an_ordinary_one_and_comes_out_the_same_again(bench: TrainingContext, is_taught: bool) -> None:
    network = SceneNetwork(tiny(), bench.corpus.scenes).eval()
    before = {name: tensor.clone() for name, tensor in network.model.state_dict().items()}
    clips = len(bench.corpus.clips)
    logits = np.random.default_rng(0).normal(size=(clips, len(network.scenes))).astype(np.float32)
    targets = SoftTargets(logits, KL(temperature=2.0, label_weight=0.02)) if is_taught else None
    first, again = (fine_tune(bench, network, 1, targets) for _ in range(2))
    kinds = {type(module) for module in first.modules()}
    assert nn.Conv2d in kinds
    assert not kinds & {Int8Conv2d, nn.BatchNorm2d}
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])
    untrained = fold_batch_norm(network.model).state_dict()
    assert any(not torch.equal(tensor, untrained[name]) for name, tensor in first.state_dict().items())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.model.state_dict().items())


def test_tuned_network_loses_less_to_int8(bench: TrainingContext) -> None:
    network = scramble(tiny(batch_size=16, learning_rate=9e-3), bench.corpus.scenes)
    make_loud(network)
    said = predict_logits(network, bench.clips, np.arange(len(bench.corpus.clips)))
    batches = calibration_batches(network, bench.clips, bench.rows[0])
    tuned = fine_tune(bench, network, 3, SoftTargets(said, KL(temperature=1.0, label_weight=0.0)))
    test = bench.corpus.test_rows
    clips = network.frontend(bench.clips.waveforms(test)).numpy()

    def loss(model: nn.Module) -> float:
        file = quantise(network_graph(model, network.frontend), batches)
        return float(np.square(OnnxNetwork(file, threads=1).logits(clips) - said[test]).mean())

    assert loss(tuned) < 0.5 * loss(network.model)


@torch.no_grad()
def make_loud(network: SceneNetwork) -> None:
    """Make a few channels so loud that the others are left few of the 256 values; float logits stay as they are."""
    for module in network.modules():
        if isinstance(module, CPMobileBlock):
            norm, depthwise = module.block[0][1], module.block[1][0]
            for tensor in (norm.weight, norm.bias):
                tensor[:4] *= 30
            depthwise.weight[:4] /= 30
