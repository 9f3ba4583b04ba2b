"""The tracking server: the only code that imports mlflow. Runs, teachers' and students' files, the Model Registry."""

import os
from typing import TYPE_CHECKING

from asc_experiments.base.lazy import importing

# Read by MLflow when it is imported: no telemetry, nothing of its own on standard output, and no tries of its own: it
# is known here which calls may be made twice, and for how long a server is waited for.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

if TYPE_CHECKING:
    from asc_experiments.tracking.client.client import Tracking
    from asc_experiments.tracking.client.connection import default_tracking_uri
    from asc_experiments.tracking.client.records import RunRecord
    from asc_experiments.tracking.client.run import Run

__all__ = ["Run", "RunRecord", "Tracking", "default_tracking_uri"]
__getattr__ = importing(
    __name__,
    {
        "Run": "client.run",
        "RunRecord": "client.records",
        "Tracking": "client.client",
        "default_tracking_uri": "client.connection",
    },
)
