"""The tracking server: the only code that imports mlflow. Runs, teachers' and students' files, the Model Registry."""

from asc_experiments.tracking.client import Run, RunRecord, Tracking, default_tracking_uri

__all__ = ["Run", "RunRecord", "Tracking", "default_tracking_uri"]
