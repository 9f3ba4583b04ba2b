"""Networks for devices: ONNX files of float32 or int8, measured as they run there, and trained for int8."""

from asc_experiments.edge.export import Exported, export_network
from asc_experiments.edge.order import Order

__all__ = ["Exported", "Order", "export_network"]
