"""Runs as they are read back, and the tags that all of them have; without MLflow, which takes a second to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KIND, OWNER, ERROR = "asc.kind", "asc.owner", "asc.error"
DRIVER = "asc.driver"
"""The process that an owner works for: a study's driver, whose heart tells of its workers on other hosts too."""
PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"


@dataclass(frozen=True)
class RunRecord:
    """A run as it was read back; its times are in milliseconds since 1970, its files at the address ``files``."""

    run_id: str
    experiment_id: str
    name: str
    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    start_time: int
    end_time: int | None = None
    files: str = field(default="", compare=False, repr=False)


def record_of(run: Any, tags: Mapping[str, str]) -> RunRecord:
    """Read back a run as MLflow returns it, with its tags as they were set."""
    info, data = run.info, run.data
    names = (info.run_id, info.experiment_id, info.run_name, info.status)
    return RunRecord(*names, data.params, data.metrics, tags, info.start_time, info.end_time, info.artifact_uri or "")
