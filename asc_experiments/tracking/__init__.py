"""The tracking server: the only code that imports mlflow. Runs, teachers' and students' files, the Model Registry."""

from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.connection import default_tracking_uri
from asc_experiments.tracking.client.run import Run, RunRecord

__all__ = ["Run", "RunRecord", "Tracking", "default_tracking_uri"]
