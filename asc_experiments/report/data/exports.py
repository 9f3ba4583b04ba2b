"""What became of a trial's network as a file: ``asc export`` logs it to the run that made the network."""

from __future__ import annotations

import json
from collections.abc import Mapping

from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import RECIPE

FOLDER = "export"
FORMATS = {
    "onnx_float": "ONNX, float32",
    "onnx_int8": "ONNX, int8",
    "onnx_int8_finetuned": "ONNX, int8, fine-tuned",
}
"""The files as the tracking server calls them, and for people."""
INT8 = tuple(name for name in FORMATS if "int8" in name)
WEIGHT_BYTES, FILE_BYTES, LATENCY = "weight_bytes", "file_bytes", "latency_ms"


def shipped_student(study: StudyRuns, trial: RunRecord) -> RunRecord | None:
    """The run of the one student that a trial would ship; None where it was not read, or is not known."""
    seed = _seed(trial)
    return next((run for run in study.students_of(trial) if seed is not None and _seed(run) == seed), None)


def exports_of(run: RunRecord) -> dict[str, Mapping[str, float]]:
    """The metrics of each file that was exported from a run's network, by format, in the order of ``FORMATS``."""
    found: dict[str, Mapping[str, float]] = {}
    for name in FORMATS:
        prefix = f"{FOLDER}/{name}/"
        metrics = {key.removeprefix(prefix): value for key, value in run.metrics.items() if key.startswith(prefix)}
        if metrics:
            found[name] = metrics
    return found


def _seed(run: RunRecord) -> int | None:
    try:
        return int(json.loads(run.tags[RECIPE])["seed"])
    except (KeyError, ValueError, TypeError):
        return None
