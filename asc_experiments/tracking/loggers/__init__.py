"""Secondary loggers: TensorBoard, W&B and those of other packages, which are told what goes to MLflow."""

from asc_experiments.tracking.loggers.logger import RunLogger, StartedRun, register_logger

__all__ = ["RunLogger", "StartedRun", "register_logger"]
