"""Make a quantised graph's file small: on a chip with 128 kB for the model, names and defaults are a tenth of it.

Nothing that is computed changes, but that biases and scales of kernels are stored in half precision (a part in 2,000,
where a step of int8 is one in 127), and made float32 when the file is loaded. Those that half precision cannot hold so
well, being too large or too small, stay float32.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, defs, helper, numpy_helper

from asc_experiments.edge.graph import IR_VERSION, OPSET

_DIGITS = string.digits + string.ascii_letters
_QUANTISING = ("QuantizeLinear", "DequantizeLinear")
_ONES, _ZEROS = ("strides", "dilations"), ("pads",)
_PRECISION = 1e-3


@dataclass(frozen=True)
class Bytes:
    """What the bytes of a network's graph are spent on.

    Attributes:
        weights: kernels, biases and the scalars of normalisation: the parameters.
        scales: of quantised kernels and activations, with their zero points.
        network: the whole graph of the network, which these are part of.
    """

    weights: int
    scales: int
    network: int


def compact(model: ModelProto) -> ModelProto:
    """A network's quantised graph in as few bytes as it takes.

    Args:
        model: from :func:`~asc_experiments.edge.quantise.quantise`.
    """
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = [_plain(node, tensors) for node in model.graph.node]
    halved = {name for node in nodes for name in _halvable(node, tensors)}
    read = _shared(nodes, tensors, halved)
    casts = [
        helper.make_node("Cast", [name + "/half"], [name], to=TensorProto.FLOAT) for name in read if name in halved
    ]
    stored = [
        numpy_helper.from_array(tensors[name].astype(np.float16), name + "/half")
        if name in halved
        else numpy_helper.from_array(tensors[name], name)
        for name in read
    ]
    short = _shortener(*(value.name for value in (*model.graph.input, *model.graph.output)))
    for node in (*casts, *nodes):
        node.input[:], node.output[:] = map(short, node.input), map(short, node.output)
    for tensor in stored:
        tensor.name = short(tensor.name)
    graph = helper.make_graph([*casts, *nodes], "n", model.graph.input, model.graph.output, stored)
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="asc_experiments")


def bytes_of(model: ModelProto) -> Bytes:
    """What the bytes of a network's graph, without its frontend, are spent on."""
    cast = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Cast"}
    quantising = {
        cast.get(name, name) for node in model.graph.node if node.op_type in _QUANTISING for name in node.input[1:]
    }
    weights = scales = 0
    for tensor in model.graph.initializer:
        size = numpy_helper.to_array(tensor).nbytes
        if tensor.name in quantising:
            scales += size
        elif tensor.dims and tensor.data_type != TensorProto.INT64:  # else a constant of the program
            weights += size
    return Bytes(weights, scales, model.ByteSize())


def _plain(node: NodeProto, tensors: dict[str, np.ndarray]) -> NodeProto:
    """A node without a name, without attributes at their defaults, and kernels without their zero points of zero."""
    inputs = list(node.input)
    if (
        node.op_type == "DequantizeLinear"
        and len(inputs) == 3
        and inputs[0] in tensors
        and not tensors[inputs[2]].any()
    ):
        inputs.pop()
    plain = helper.make_node(node.op_type, inputs, node.output)
    plain.attribute.extend(each for each in node.attribute if not _is_default(node.op_type, each))
    return plain


def _is_default(operator: str, attribute: AttributeProto) -> bool:
    value = helper.get_attribute_value(attribute)
    if operator in ("Conv", "MaxPool", "AveragePool"):
        if attribute.name == "kernel_shape":
            return operator == "Conv"  # its kernel tells it
        if attribute.name in _ONES + _ZEROS:
            return set(value) == {int(attribute.name in _ONES)}
    known = defs.get_schema(operator, OPSET).attributes[attribute.name].default_value
    return bool(known.type) and helper.get_attribute_value(known) == value


def _halvable(node: NodeProto, tensors: dict[str, np.ndarray]) -> list[str]:
    """The inputs of a node that may be stored in half precision: a bias, or a kernel's scales, where they survive it.

    Every scale counts by itself. Biases are added to activations that one step of int8 serves for all channels, so that
    an error counts beside the largest of them.
    """
    if node.op_type == "Conv":
        biases = [name for name in node.input[2:] if name in tensors]
        return [name for name in biases if _survives(tensors[name], _PRECISION * float(np.abs(tensors[name]).max()))]
    if node.op_type == "DequantizeLinear" and node.input[0] in tensors:
        return [node.input[1]] if _survives(tensors[node.input[1]], 0.0) else []
    return []


def _survives(values: np.ndarray, absolute: float) -> bool:
    """Whether half precision keeps every value to a part in a thousand, or to an absolute error."""
    with np.errstate(over="ignore"):
        halves = values.astype(np.float16)
    return bool(np.allclose(halves, values, rtol=_PRECISION, atol=absolute))


def _shared(nodes: list[NodeProto], tensors: dict[str, np.ndarray], halved: set[str]) -> list[str]:
    """Let nodes read equal tensors from one; the names of the tensors that are then still read, in order."""
    first: dict[tuple[object, ...], str] = {}
    for node in nodes:
        for place, name in enumerate(node.input):
            if name in tensors:
                values = tensors[name]
                content = (values.dtype.str, values.shape, values.tobytes(), name in halved)
                node.input[place] = first.setdefault(content, name)
    return list(first.values())


def _shortener(*kept: str) -> Callable[[str], str]:
    """Gives each name a shorter one, always the same: 0, 1, …, Z, 10, …; those kept stay as they are."""
    known = {name: name for name in ("", *kept)}

    def short(name: str) -> str:
        if name not in known:
            number, digits = len(known), ""
            while number or not digits:
                number, digit = divmod(number, len(_DIGITS))
                digits = _DIGITS[digit] + digits
            known[name] = digits
        return known[name]

    return short
