"""How far a study has come, as its runs tell it: a report or a registration of a part is no answer of the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from asc_experiments.base.ownership import is_gone
from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.records import ERROR, OWNER, RunRecord
from asc_experiments.tracking.trials import AGAIN_OF, TRIAL

ASKED_TRIALS = "asc.asked_trials"
"""A study's tag: how many trials were asked for when it was last run; studies of earlier versions do not say."""


@dataclass(frozen=True)
class StudyProgress:
    """Counts of a study's trials.

    Attributes:
        asked: how many were asked for; 0 where that is not known.
        done: how many finished, were pruned or failed.
        running: how many are active; one whose process is gone is not.
    """

    asked: int = 0
    done: int = 0
    running: int = 0

    @property
    def is_over(self) -> bool:
        """Whether no more is to come; where the number asked for is not known, whether nothing runs."""
        return self.running == 0 and self.done >= self.asked

    def sentence(self, study: str) -> str:
        """How far it has come, and what shows or finishes the rest; empty where it is over."""
        if self.is_over:
            return ""
        of = f" of {self.asked:,}" if self.asked else ""
        finished = f"{self.done:,}{of} trial{'' if (self.asked or self.done) == 1 else 's'} finished"
        if self.running:
            return f"{finished}, {self.running:,} running: `asc study watch {study}`."
        return f"{finished}, and none is running: `asc study run` with the study's file resumes."


def progress_of(trials: Iterable[RunRecord], asked: str) -> StudyProgress:
    """How far a study has come.

    Args:
        trials: the runs of its trials, of any status.
        asked: the tag of its experiment that says how many were asked for; empty where there is none.
    """
    runs = [run for run in trials if run.tags.get(TRIAL, "").isdigit()]
    again = {run.tags[AGAIN_OF] for run in runs if AGAIN_OF in run.tags}
    done = {run.tags[TRIAL] for run in runs if _has_ended(run)} - again
    running = {run.tags[TRIAL] for run in runs if run.status == "RUNNING" and not is_gone(run.tags.get(OWNER))}
    return StudyProgress(int(asked) if asked.isdigit() else 0, len(done - running), len(running))


def tell_asked(tracking: Tracking, experiment_id: str, asked: int) -> None:
    """Keep how many trials were asked for, for those who read the runs alone."""
    tracking.set_experiment_tags(experiment_id, {ASKED_TRIALS: str(asked)})


def was_pruned(run: RunRecord) -> bool:
    """Whether the pruner, or a limit of the study, ended a trial."""
    return run.status == "KILLED" and run.tags.get(ERROR, "").startswith("pruned")


def _has_ended(run: RunRecord) -> bool:
    return run.status in ("FINISHED", "FAILED") or was_pruned(run)
