"""Runs whose networks answered something made up."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from asc_experiments.statistics import Evidence
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.evidence import log_evidence

SCENES = ("bus", "park", "tram")
LogRun = Callable[..., RunRecord]


def answers(accuracies: Sequence[float], seed: int = 0, favourite: int | None = None, places: int = 30) -> Evidence:
    """Students that are right in these parts of 600 clips, or answer one scene to everything."""
    rng = np.random.default_rng(seed)
    place = np.arange(600) % places
    labels = place % len(SCENES)
    logits = []
    for accuracy in accuracies:
        answered = np.where(rng.random(600) < accuracy, labels, (labels + 1 + rng.integers(0, 2, 600)) % len(SCENES))
        logits.append(np.eye(len(SCENES))[answered if favourite is None else np.full(600, favourite)])
    groups = {"a": "real", "s4": "unseen"}
    return Evidence.of(logits, labels, ["a"] * 300 + ["s4"] * 300, [f"place{n}" for n in place], groups, SCENES)


@pytest.fixture
def log_run(tracking: Tracking) -> LogRun:
    """Log a trial, or a teacher, with what its students answered in the test fold."""

    def log(
        table: Evidence | None,
        number: int = 0,
        name: str = "",
        teachers: Sequence[str] = (),
        metrics: dict[str, float] | None = None,
        params: dict[str, object] | None = None,
    ) -> RunRecord:
        tags = {
            "asc.trial": str(number), "asc.objective": "accuracy/macro", "asc.objective_split": "validation",
            "asc.direction": "maximize", "asc.teachers": ",".join(teachers),
        }  # fmt: skip
        with tracking.run(tracking.experiment("s"), name or f"trial {number}", "trial", tags) as run:
            value = {} if table is None else {"objective": float(table.measure("accuracy/macro").mean())}
            run.metrics(value | (metrics or {}))
            run.params(params or {})
            run.dataset("field", "c0ffee", "somewhere", '{"test_clips": 600}')
            log_evidence(run, {} if table is None else {"test": table})
        return tracking.get(run.run_id)

    return log
