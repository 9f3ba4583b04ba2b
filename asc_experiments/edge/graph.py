"""Networks and frontends as ONNX graphs, for batches of any size."""

from __future__ import annotations

import copy
import json
import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import GraphProto, ModelProto, compose, helper, numpy_helper
from torch import Tensor, nn

from asc_experiments.corpus.audio import SAMPLE_RATE
from asc_experiments.models import LogMel
from asc_experiments.models.folding import fold_batch_norm

WAVEFORMS, LOG_MELS, LOGITS = "waveforms", "log_mels", "logits"
"""``(batch, samples)`` at 32 kHz in [-1, 1]; ``(batch, 1, mels, frames)``; ``(batch, scenes)``."""
OPSET, IR_VERSION = 20, 10
"""Of every graph here."""
_BANK = "bank"
_EXPORTER = "torch.onnx._internal.exporter._registration"


def network_graph(model: nn.Module, frontend: LogMel, samples: int = SAMPLE_RATE) -> ModelProto:
    """Log-mels to logits, batch norm folded into the convolutions.

    Args:
        model: a trained network without its frontend; it is not changed.
        frontend: gives the shape of the log-mels of a clip.
        samples: how long a clip is, at 32 kHz.
    """
    folded = fold_batch_norm(model).cpu().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    log_mels = torch.zeros(2, 1, frontend.shape.mels, frontend.frames(samples))
    return _graph(folded, log_mels, LOG_MELS, LOGITS)


def frontend_graph(frontend: LogMel, samples: int = SAMPLE_RATE) -> ModelProto:
    """Waveforms of so many samples at 32 kHz to log-mels.

    The spectrum comes from ONNX's STFT operator. A windowed DFT basis in its place would be 51 MB of constants, a
    hundred times the network's, and takes four times as long.
    """
    graph = _graph(copy.deepcopy(frontend).cpu().eval(), torch.zeros(2, samples), WAVEFORMS, LOG_MELS)
    _store_sparse(graph.graph, _BANK)
    return compose.add_prefix(graph, "frontend.", rename_inputs=False, rename_outputs=False)


def joined(frontend: ModelProto, network: ModelProto) -> ModelProto:
    """Waveforms to logits: a network's graph behind its frontend's."""
    io_map = [(LOG_MELS, LOG_MELS)]
    return compose.merge_models(frontend, network, io_map=io_map, producer_name=network.producer_name)


def describe(graph: ModelProto, scenes: tuple[str, ...], samples: int = SAMPLE_RATE) -> None:
    """Write into a file's metadata the scenes' names as JSON, in the order of the logits, and a clip's seconds."""
    about = {"scenes": json.dumps(scenes, ensure_ascii=False), "seconds": f"{samples / SAMPLE_RATE:g}"}
    helper.set_model_props(graph, about)


def _graph(module: nn.Module, example: Tensor, input_name: str, output_name: str) -> ModelProto:
    logging.getLogger(_EXPORTER).setLevel(logging.ERROR)  # it tells of operators of packages that are not there
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="asc-") as folder:
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[input_name],
            output_names=[output_name],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
        assert program is not None
        path = Path(folder, "graph.onnx")
        program.save(path)
        return _stripped(onnx.load(path))


def _stripped(model: ModelProto) -> ModelProto:
    """Without what the exporter notes of each node: names of modules, stack traces with this machine's paths."""
    graph = model.graph
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info, graph, model):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    model.ir_version, model.producer_name, model.producer_version = IR_VERSION, "asc_experiments", ""
    return model


def _store_sparse(graph: GraphProto, name: str) -> None:
    """Store of a matrix only what is not zero: of a mel bank 0.04 MB instead of 2.1.

    A runtime that folds constants puts the matrix together once, when it loads the file.
    """
    (dense,) = (tensor for tensor in graph.initializer if tensor.name == name)
    matrix = numpy_helper.to_array(dense)
    graph.initializer.remove(dense)
    places = np.flatnonzero(matrix).astype(np.int32)
    for part, values in (
        ("size", np.array([matrix.size])), ("shape", np.array(matrix.shape)),
        ("places", places), ("values", matrix.ravel()[places]),
    ):  # fmt: skip
        graph.initializer.append(numpy_helper.from_array(values, f"{name}.{part}"))
    nodes = [
        helper.make_node("ConstantOfShape", [f"{name}.size"], [f"{name}.zeros"]),
        helper.make_node("ScatterElements", [f"{name}.zeros", f"{name}.places", f"{name}.values"], [f"{name}.flat"]),
        helper.make_node("Reshape", [f"{name}.flat", f"{name}.shape"], [name]),
    ]
    for place, node in enumerate(nodes):
        graph.node.insert(place, node)
