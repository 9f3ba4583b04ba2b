"""An int8 network is small, near the float one, runs on integers, and comes out the same every time."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, TensorProto, numpy_helper
from onnxruntime import InferenceSession, SessionOptions

from asc_experiments.edge.compact import bytes_of, compact
from asc_experiments.edge.quantise import quantise
from asc_experiments.edge.running import OnnxNetwork
from asc_experiments.training import Recipe, make_recipe
from tests.edge.conftest import STUDENT, graph_of, scrambled, sounds, tiny


def log_mels(recipe: Recipe, seed: int = 0) -> np.ndarray:
    with torch.inference_mode():
        return np.asarray(scrambled(recipe).frontend(sounds(8, seed=seed)).numpy())


@pytest.fixture(scope="module")
def quantised() -> ModelProto:
    """The published student, not compact."""
    return quantise(graph_of(STUDENT), [log_mels(STUDENT, seed) for seed in range(3)])


def test_published_student_keeps_to_128_kb_of_weights(quantised: ModelProto) -> None:
    parameters = sum(parameter.numel() for parameter in scrambled(STUDENT).model.parameters())
    assert parameters == 126_952
    spent = bytes_of(compact(quantised))
    assert spent.weights <= 128_000
    assert spent.network <= 140_000  # with scales, and what ONNX takes to say how they belong together
    assert bytes_of(graph_of(STUDENT)).weights > 490_000


def test_kernels_are_int8_with_a_scale_per_channel(quantised: ModelProto) -> None:
    model = compact(quantised)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    cast = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Cast"}
    made = {node.output[0]: node for node in model.graph.node}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 21
    for node in convolutions:
        kernel, scales = (made[node.input[1]].input[place] for place in (0, 1))
        assert tensors[kernel].data_type == TensorProto.INT8
        assert tensors[cast[scales]].dims[0] == tensors[kernel].dims[0]
        assert (
            np.abs(numpy_helper.to_array(tensors[kernel])).reshape(tensors[kernel].dims[0], -1).max(axis=1).min() == 127
        )


def test_every_convolution_runs_on_integers(quantised: ModelProto, tmp_path: Path) -> None:
    options = SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    InferenceSession(compact(quantised).SerializeToString(), options, providers=["CPUExecutionProvider"])
    operators = Counter(node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node)
    assert operators["QLinearConv"] == 21
    assert operators["Conv"] == operators["Cast"] == 0


@pytest.mark.parametrize("recipe", [tiny(), make_recipe("cp_resnet", base_channels=10)], ids=lambda recipe: recipe.arch)
def test_int8_is_near_float_and_compacting_loses_next_to_nothing(recipe: Recipe) -> None:
    graph, inputs = graph_of(recipe), log_mels(recipe, seed=9)
    whole = quantise(graph, [log_mels(recipe, seed) for seed in range(3)])
    small = compact(whole)
    onnx.checker.check_model(small, full_check=True)
    exact, before, after = (OnnxNetwork(model).logits(inputs) for model in (graph, whole, small))
    spread = exact.std()
    assert np.abs(before - exact).mean() < 0.1 * spread
    assert np.abs(after - before).mean() < 0.03 * spread
    assert bytes_of(small).network < bytes_of(whole).network


def test_same_batches_give_the_same_bytes() -> None:
    batches = [log_mels(tiny(), seed) for seed in range(2)]
    first, again = (compact(quantise(graph_of(tiny()), batches)).SerializeToString() for _ in range(2))
    assert first == again


def test_quantising_leaves_the_graph_as_it_was() -> None:
    before = graph_of(tiny()).SerializeToString()
    compact(quantise(graph_of(tiny()), [log_mels(tiny())]))
    assert graph_of(tiny()).SerializeToString() == before


def test_scales_too_small_for_half_precision_stay_float() -> None:
    graph = ModelProto()
    graph.CopyFrom(graph_of(tiny()))
    kernel = next(tensor for tensor in graph.graph.initializer if len(tensor.dims) == 4)
    kernel.CopyFrom(numpy_helper.from_array(1e-6 * numpy_helper.to_array(kernel), kernel.name))
    small = compact(quantise(graph, [log_mels(tiny())]))
    scales = [tensor for tensor in small.graph.initializer if tensor.dims and tensor.data_type == TensorProto.FLOAT]
    assert any(0 < numpy_helper.to_array(tensor).max() < 1e-7 for tensor in scales)


@pytest.mark.parametrize(
    ("factor", "is_halved"), [(1.0, True), (1e9, False), (1e-9, False)], ids=["as trained", "too large", "too small"]
)
def test_biases_that_half_precision_cannot_hold_stay_float(factor: float, is_halved: bool) -> None:
    quantised = quantise(graph_of(tiny()), [log_mels(tiny())])
    tensors = {tensor.name: tensor for tensor in quantised.graph.initializer}
    name = next(node.input[2] for node in quantised.graph.node if node.op_type == "Conv" and node.input[2] in tensors)
    biases = np.float32(factor) * numpy_helper.to_array(tensors[name])
    tensors[name].CopyFrom(numpy_helper.from_array(biases, name))
    stored = [numpy_helper.to_array(tensor) for tensor in compact(quantised).graph.initializer]
    assert any(np.array_equal(values, biases) for values in stored if values.dtype == np.float32) is not is_halved
    with np.errstate(over="ignore"):
        assert any(np.array_equal(values, biases.astype(np.float16)) for values in stored) is is_halved
    assert all(np.isfinite(values).all() for values in stored)
