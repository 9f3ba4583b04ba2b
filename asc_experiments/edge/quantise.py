"""Static quantisation of a network's graph: int8 kernels with a scale per channel, uint8 activations (QDQ format).

What lies between two convolutions besides ReLU and pooling stays float32: global response normalisation, sums, the
average over mels and frames. Quantising these as well costs accuracy and saves no byte.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from asc_experiments.edge.graph import LOG_MELS

_QUANTISED = ["Conv", "Relu", "MaxPool"]
_OPTIONS = {
    "QuantizeBias": False,  # runtimes do that when they load the file; stored it would take twelve bytes for four
    "CalibMovingAverage": True,  # the mean over batches of their extremes: the extremes of all are outliers
}


def quantise(network: ModelProto, batches: Iterable[np.ndarray]) -> ModelProto:
    """Quantise a network's graph; the same batches give the same bytes.

    Args:
        network: of float32, from :func:`~asc_experiments.edge.graph.network_graph`; it is not changed.
        batches: log-mels ``(batch, 1, mels, frames)`` that the ranges of the activations are taken from.
    """
    marked = ModelProto()
    marked.CopyFrom(network)
    add_pre_process_metadata(marked)  # folded and with inferred shapes; onnxruntime would tell to do that
    with tempfile.TemporaryDirectory(prefix="asc-") as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(marked, source)
        quantize_static(
            source,
            target,
            _Batches(batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_QUANTISED,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options=dict(_OPTIONS),
        )
        return onnx.load(target)


class _Batches(CalibrationDataReader):
    """Batches as onnxruntime asks for them."""

    def __init__(self, batches: Iterable[np.ndarray]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch by the name of the graph's input, or None."""
        batch = next(self._batches, None)
        return None if batch is None else {LOG_MELS: batch}
