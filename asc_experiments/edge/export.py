"""Export a model as an ONNX file: float32 or int8, measured in onnxruntime beside the network as PyTorch runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from onnx import ModelProto

from asc_experiments.base.files import whole_file
from asc_experiments.base.progress import say
from asc_experiments.corpus import ValidationSplit
from asc_experiments.corpus.audio import SAMPLE_RATE
from asc_experiments.distill import TrainingContext
from asc_experiments.edge.compact import Bytes, bytes_of, compact
from asc_experiments.edge.comparison import Compared, calibration_batches, compare, one_input
from asc_experiments.edge.finetune import fine_tune
from asc_experiments.edge.graph import describe, frontend_graph, joined, network_graph
from asc_experiments.edge.order import FINE_TUNED, FLOAT, INT8, Order
from asc_experiments.edge.origin import Origin
from asc_experiments.edge.quantise import quantise
from asc_experiments.edge.running import Latency, time_one
from asc_experiments.models import Complexity
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.registry.network_store import fetch_network
from asc_experiments.training import SceneNetwork

FOLDER = "export"
"""Of a run's artifacts, and the beginning of its metrics' names."""


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        file: its path.
        format: ``onnx_float``, ``onnx_int8`` or ``onnx_int8_finetuned``.
        model: the id of the model among MLflow's logged models.
        run: the id of the run that it was logged to; None where it was not.
        file_bytes: of the whole file.
        bytes: of the network, without its frontend, and what they are spent on.
        complexity: parameters, and MACs for one clip, by two rules: batch norm is not folded.
        latency: on this machine.
        seconds: how long a clip is, which MACs and latency are of, and which the file takes.
        compared: every file that was made, with PyTorch.
    """

    file: Path
    format: str
    model: str
    run: str | None
    file_bytes: int
    bytes: Bytes
    complexity: Complexity
    latency: Latency
    seconds: float
    compared: Compared


def export_network(
    tracking: Tracking, model_uri: str, order: Order, open_bench: Callable[[ValidationSplit], TrainingContext]
) -> Exported:
    """Write a model as an ONNX file; log it and its accuracies to the run that made the model.

    Args:
        tracking: the server.
        model_uri: ``models:/NAME@ALIAS``, ``models:/NAME/VERSION`` or ``models:/MODEL_ID``.
        order: what is wanted.
        open_bench: opens the order's corpus with a given validation split.

    Raises:
        AscError: if something is refused; nothing is written or logged then.
    """
    order.check()
    with whole_file(order.output) as write:
        network = order.network_of(fetch_network(tracking, model_uri), model_uri)
        order.check_network(network)
        origin = Origin.of(tracking, model_uri)
        bench = None
        if order.corpus is not None:
            bench = open_bench(origin.split or ValidationSplit())
            order.check_corpus(bench, network, origin)
        graphs = _graphs(network, bench, origin, order)
        files = _files(network, graphs, order.frontend)
        name, file = list(files.items())[-1]
        content = file.SerializeToString()
        exported = Exported(
            order.output,
            name,
            origin.model_id,
            None if order.device else _loggable(origin, bench),
            len(content),
            bytes_of(graphs[name]),
            network.complexity(),
            time_one(file, one_input(network, order.frontend)),
            network.samples / SAMPLE_RATE,
            compare(network, files, order.frontend, bench),
        )
        write(content)
    _log(tracking, exported, content)
    return exported


def _graphs(
    network: SceneNetwork, bench: TrainingContext | None, origin: Origin, order: Order
) -> dict[str, ModelProto]:
    """The graphs of the network without its frontend by their formats, the one that was ordered last."""
    if not order.int8 or bench is None:
        return {FLOAT: network_graph(network.model, network.frontend, network.samples)}
    targets = None
    if order.finetune:
        targets = origin.targets(bench)
        bench.responses_for(network.recipe)  # refuse before minutes of work
    batches = calibration_batches(network, bench.clips, bench.rows[0])
    graphs = {INT8: compact(quantise(network_graph(network.model, network.frontend, network.samples), batches))}
    if order.finetune:
        tuned = fine_tune(bench, network, order.finetune, targets)
        graphs[FINE_TUNED] = compact(quantise(network_graph(tuned, network.frontend, network.samples), batches))
    return graphs


def _files(network: SceneNetwork, graphs: Mapping[str, ModelProto], frontend: bool) -> dict[str, ModelProto]:
    """The graphs as they are written: behind the frontend where it is wanted, with what it says of itself."""
    files = dict(graphs)
    if frontend:
        before = frontend_graph(network.frontend, network.samples)
        files = {name: joined(before, graph) for name, graph in graphs.items()}
    for file in files.values():
        describe(file, network.scenes, network.samples)
    return files


def _loggable(origin: Origin, bench: TrainingContext | None) -> str | None:
    """The run that the export is logged to, or None, saying why."""
    if origin.run is None:
        say("the run that made the model is gone: nothing is logged")
        return None
    if bench is not None and origin.corpus not in (None, bench.store.corpus_digest):
        say("the model was trained on another corpus: nothing is logged")
        return None
    return origin.run.run_id


def _log(tracking: Tracking, exported: Exported, content: bytes) -> None:
    if exported.run is None:
        return
    run = tracking.writer(exported.run, tracking.get(exported.run).experiment_id)
    metrics = {
        f"{exported.format}/file_bytes": float(exported.file_bytes),
        f"{exported.format}/weight_bytes": float(exported.bytes.weights),
        f"{exported.format}/latency_ms": exported.latency.median_ms,
    }
    for name, card in exported.compared.scorecards.items():
        if name in exported.compared.difference:  # PyTorch's are there already
            metrics |= {f"{name}/{metric}": value for metric, value in card.items()}
    run.metrics({f"{FOLDER}/{name}": value for name, value in metrics.items()})
    run.content(content, f"{FOLDER}/{exported.file.name}")
