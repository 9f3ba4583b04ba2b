"""The evidence of a run: what its students answered, by place and device, as an artifact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from asc_experiments.base.errors import AscError
from asc_experiments.statistics.evidence import Evidence, from_bytes, to_bytes

if TYPE_CHECKING:  # with it comes MLflow
    from asc_experiments.tracking.client.client import Tracking
    from asc_experiments.tracking.client.run import Run

STUDENTS, REPLICATES = "evidence/students.npz", "evidence/replicates.npz"
"""Of the networks of a run (a teacher's or a student's own: one); of a trial's students with fresh seeds."""
GENERAL_STUDENTS = "evidence/general.npz"
"""Of the general students that a run's students with networks for devices were made of, in the same order."""


def log_evidence(run: Run, splits: Mapping[str, Evidence], name: str = STUDENTS) -> None:
    """Log what students answered.

    Args:
        run: where it goes.
        splits: the tables by split, ``test`` and where clips are held out ``validation``; none logs nothing.
        name: :data:`STUDENTS` or :data:`REPLICATES`.
    """
    if splits:
        run.content(to_bytes(splits), name)


def evidence_of(tracking: Tracking, run_id: str, name: str = STUDENTS) -> dict[str, Evidence]:
    """What a run's students answered, by split; empty where the run keeps none, or a damaged file.

    Args:
        tracking: the server.
        run_id: a trial's, a teacher's or a student's.
        name: :data:`STUDENTS` or :data:`REPLICATES`.
    """
    try:
        with tracking.artifacts(run_id, name) as path:
            return from_bytes(path.read_bytes())
    except (AscError, ValueError):
        return {}
