"""Whether a study can tell a kind of teacher from the luck of its one network, and what that would cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from asc_experiments.report.analysis.compute_cost import seconds_of
from asc_experiments.report.data.study_runs import StudyRuns, kind_of
from asc_experiments.report.words import counted, duration

WANTED = 3
"""Networks of each kind from which on a kind can be told from luck."""


@dataclass(frozen=True)
class Kinds:
    """The kinds of teachers that a study compares: of one kind are those that differ by their seed alone.

    Attributes:
        kinds: how many.
        alone: how many of them are a single network.
        seconds: what the missing teachers, and the students that they would teach, would take; None where not known.
    """

    kinds: int
    alone: int
    seconds: float | None

    @property
    def note(self) -> str:
        """What cannot be told, and what it would cost; empty where there is nothing to say."""
        if self.kinds < 2 or not self.alone:
            return ""
        which = "Every kind of teacher here" if self.alone == self.kinds else f"{self.alone} of {self.kinds} kinds here"
        time = "" if self.seconds is None else f", about {duration(self.seconds)} of training with their students"
        more = counted((WANTED - 1) * self.alone, "more teacher")
        return (
            f"{which} is a single network: whether the kind is good or its one network was lucky cannot be told, and "
            f"more students of that network do not help. {WANTED} networks a kind would take {more}{time}."
        )


def kinds_of(study: StudyRuns) -> Kinds:
    """How many networks each kind of a study's teachers has."""
    counts = Counter(kind_of(run) for run in study.teachers.values())
    alone = {kind for kind, count in counts.items() if count == 1}
    teachers = [seconds_of(run) for run in study.teachers.values() if kind_of(run) in alone]
    taught = [seconds_of(trial) for trial in study.trials if any(kind_of(run) in alone for run in study.members(trial))]
    known = [time for time in (*teachers, *taught) if time is not None]
    seconds = (WANTED - 1) * sum(known) if len(known) == len(teachers) + len(taught) else None
    return Kinds(len(counts), len(alone), seconds)
