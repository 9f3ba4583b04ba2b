"""An exported graph gives PyTorch's logits, and holds nothing that running it does not need."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto
from torch import nn

from asc_experiments.corpus import Corpus, prepare
from asc_experiments.edge.graph import describe, frontend_graph, joined, network_graph
from asc_experiments.edge.running import OnnxNetwork
from asc_experiments.models.folding import fold_batch_norm
from asc_experiments.training import Recipe, make_recipe
from tests.edge.conftest import frontend_of, graph_of, scrambled, sounds, tiny

TINY = {
    "cp_mobile": tiny(),
    "cp_resnet": make_recipe("cp_resnet", base_channels=10),
    "passt": make_recipe("passt", embed_dim=24, depth=2, num_heads=2),
}
PARITY = 1e-4


def difference(recipe: Recipe, model: ModelProto, waveforms: torch.Tensor, frontend: bool) -> float:
    network = scrambled(recipe)
    with torch.inference_mode():
        expected = network(waveforms).numpy()
        inputs = waveforms if frontend else network.frontend(waveforms)
    return float(np.abs(OnnxNetwork(model, threads=1).logits(inputs.numpy()) - expected).max())


@pytest.mark.parametrize("frontend", [True, False], ids=["waveforms", "log-mels"])
@pytest.mark.parametrize("arch", TINY)
def test_logits_are_pytorchs_for_batches_of_any_size(arch: str, frontend: bool) -> None:
    recipe = TINY[arch]
    model = joined(frontend_of(recipe), graph_of(recipe)) if frontend else graph_of(recipe)
    onnx.checker.check_model(model, full_check=True)
    for count in (1, 2, 5):
        assert difference(recipe, model, sounds(count), frontend) < PARITY
    assert difference(recipe, model, torch.zeros(1, 32_000), frontend) < PARITY


@pytest.mark.parametrize("samples", [16_000, 64_000])
@pytest.mark.parametrize("arch", TINY)
def test_graph_of_clips_of_another_length_takes_these_and_says_so(arch: str, samples: int) -> None:
    network = scrambled(TINY[arch])
    graph = network_graph(network.model, network.frontend, samples)
    taken = [1, network.frontend.shape.mels, network.frontend.frames(samples)]
    assert [each.dim_value for each in graph.graph.input[0].type.tensor_type.shape.dim[1:]] == taken
    model = joined(frontend_graph(network.frontend, samples), graph)
    describe(model, network.scenes, samples)
    assert {entry.key: entry.value for entry in model.metadata_props}["seconds"] == f"{samples / 32_000:g}"
    waveforms = sounds(2).repeat(1, 2)[:, :samples]
    with torch.no_grad():
        expected = network(waveforms).numpy()
    assert np.abs(OnnxNetwork(model).logits(waveforms.numpy()) - expected).max() < PARITY


@settings(max_examples=15, deadline=None)
@given(loudness=st.floats(1e-5, 10.0), seed=st.integers(0, 100))
def test_logits_are_pytorchs_at_any_loudness(loudness: float, seed: int) -> None:
    recipe = TINY["cp_mobile"]
    assert difference(recipe, joined(frontend_of(recipe), graph_of(recipe)), sounds(2, loudness, seed), True) < PARITY


def test_logits_are_pytorchs_on_a_corpus(synth_corpus: Path, cache: Path) -> None:
    recipe = TINY["cp_mobile"]
    clips = prepare(Corpus.open(synth_corpus), cache).waveforms[::10]
    waveforms = torch.from_numpy(clips.astype(np.float32) / 32_768)
    assert difference(recipe, joined(frontend_of(recipe), graph_of(recipe)), waveforms, True) < PARITY


def test_logits_are_pytorchs_on_field_recordings(shared: Path, cache: Path) -> None:
    recipe = TINY["cp_mobile"]
    clips = prepare(Corpus.open(shared / "data" / "field-recordings"), cache).waveforms[::40]
    waveforms = torch.from_numpy(clips.astype(np.float32) / 32_768)
    assert difference(recipe, joined(frontend_of(recipe), graph_of(recipe)), waveforms, True) < PARITY


@pytest.mark.parametrize("arch", ["cp_mobile", "cp_resnet"])
def test_batch_norm_is_folded_and_response_norm_stays(arch: str) -> None:
    operators = [node.op_type for node in graph_of(TINY[arch]).graph.node]
    assert "BatchNormalization" not in operators
    assert operators.count("ReduceL2") == (6 if arch == "cp_mobile" else 0)
    sizes = {len(node.input) for node in graph_of(TINY[arch]).graph.node if node.op_type == "Conv"}
    assert sizes == {3}  # what was batch norm's is a bias


def test_folding_leaves_the_network_as_it_was() -> None:
    network = scrambled(TINY["cp_resnet"])
    before = {name: tensor.clone() for name, tensor in network.model.state_dict().items()}
    folded = fold_batch_norm(network.model)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    after = network.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_file_tells_the_scenes_and_nothing_of_the_machine() -> None:
    recipe = TINY["cp_mobile"]
    model = joined(frontend_of(recipe), graph_of(recipe))
    describe(model, ("bus", "plaça"))
    assert json.loads({entry.key: entry.value for entry in model.metadata_props}["scenes"]) == ["bus", "plaça"]
    content = model.SerializeToString()
    for part in (b"site-packages", b".py", Path(__file__).parents[2].as_posix().encode()):
        assert part not in content


def test_frontend_takes_few_bytes_and_only_standard_operators() -> None:
    frontend = frontend_of(TINY["cp_mobile"])
    assert frontend.ByteSize() < 60_000  # the filter bank alone would be 2.1 MB, a DFT basis 51
    assert [entry.domain for entry in frontend.opset_import] == [""]
    assert {node.domain for node in frontend.graph.node} == {""}
