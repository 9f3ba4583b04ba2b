"""Who learned, or is learning, from which Teachers: runs whose tag names their keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asc_experiments.base.ownership import is_gone
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.queries import ANY, where
from asc_experiments.tracking.client.records import KIND, OWNER
from asc_experiments.tracking.trials import TEACHERS, keys_of

_LEARNERS = ("trial", "student")


@dataclass(frozen=True)
class Use:
    """A run that learned from a Teacher, or is learning from it."""

    run_id: str
    name: str
    experiment: str
    status: str

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.status == "RUNNING"

    @property
    def counts(self) -> bool:
        """Whether somebody may still want to look up what it learned from."""
        return self.status in ("FINISHED", "RUNNING")

    def __str__(self) -> str:
        return f"{self.name} of {self.experiment}" + (" (active)" if self.is_active else "")


@dataclass(frozen=True)
class Usage:
    """The uses of every Teacher.

    Attributes:
        of: by the Teacher's key, oldest first.
        undecided: active runs that have not said yet which Teachers they learn from.
    """

    of: Mapping[str, Sequence[Use]]
    undecided: tuple[Use, ...]

    @classmethod
    def read(cls, tracking: Tracking) -> Usage:
        """Ask the tracking server. A run whose process is dead counts as ended."""
        names = tracking.experiments()
        by_key: dict[str, list[Use]] = defaultdict(list)
        for record in tracking.search(list(names), where({TEACHERS: ANY})):
            for key in keys_of(record):
                by_key[key].append(_use(record, names))
        running = tracking.search(list(names), where(status="RUNNING"))
        waiting = [r for r in running if r.tags.get(KIND) in _LEARNERS and TEACHERS not in r.tags]
        undecided = [use for record in waiting if (use := _use(record, names)).is_active]
        return cls(by_key, tuple(undecided))


def _use(record: RunRecord, names: Mapping[str, str]) -> Use:
    is_dead = record.status == "RUNNING" and is_gone(record.tags.get(OWNER))
    status = "KILLED" if is_dead else record.status
    return Use(record.run_id, record.name, names[record.experiment_id], status)
