"""How far a study has come, as Optuna's storage tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from asc_experiments.base.ownership import is_gone
from asc_experiments.tracking.objective import ObjectiveClips
from asc_experiments.tracking.trials import CELL, OBJECTIVE_CLIPS, STUDENTS

ASKED, METRIC = "asc.asked", "asc.metric"
DEFINITION, CORPUS, DIRS = "asc.definition", "asc.corpus", "asc.dirs"
SETTINGS = "asc.settings"
"""What the digest ``DEFINITION`` is of, so that a later change can be named."""
PACKAGES = "asc.packages"
"""By name, the packages that its architectures are from which are no part of the program."""
VERDICT = "asc.verdict"
"""What may be said of the best trial, as it was judged when `study run` last ended."""
KEY_SCHEMA = "asc.key_schema"
"""Of the keys that a study's networks have: studies of another schema are read, and not continued."""
OWNER, INTERRUPTED, AGAIN_OF = "asc.owner", "asc.interrupted", "asc.again_of"
"""``AGAIN_OF`` names the trial that a queued one re-queues: one line in the storage both queues and supersedes."""
DELETED = "asc.deleted"
"""The numbers of finished trials that had no run in the tracking server when `study run` last looked."""
SEEDS = "asc.seeds"
"""The seeds of a trial's students; every attempt at it has the same."""


@dataclass(frozen=True)
class StudyStatus:
    """Counts of a study's trials. ``finished``, ``deleted``, ``pruned`` and ``failed`` make up ``asked`` in the end.

    ``deleted`` counts those that finished and whose runs were deleted in the tracking server, as `study run` last saw.
    ``interrupted`` counts attempts that were killed, stopped, or failed and tried once more; each was re-queued and
    is part of no other count.
    """

    name: str
    metric: str
    asked: int
    finished: int
    deleted: int
    pruned: int
    failed: int
    running: int
    interrupted: int
    best_trial: int | None
    best_value: float | None
    verdict: str = ""
    measured: ObjectiveClips | None = None
    """What the objective is measured on; None where an earlier version did not count."""

    @property
    def done(self) -> int:
        """How many of the asked trials need no more work."""
        return self.finished + self.deleted + self.pruned + self.failed

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        facts = {key: value for key, value in asdict(self).items() if key != "measured"}
        if self.measured is None:
            return facts
        counts = {"objective_clips": self.measured.clips, "objective_places": self.measured.places}
        return facts | counts | {"objective_note": self.measured.note}


def was_interrupted(trial: FrozenTrial) -> bool:
    """Whether a trial was stopped or killed rather than failing by itself."""
    if trial.state == TrialState.RUNNING:
        return is_gone(trial.user_attrs.get(OWNER))
    return trial.state == TrialState.FAIL and INTERRUPTED in trial.user_attrs


def superseded(trials: Sequence[FrozenTrial]) -> set[int]:
    """The numbers of trials that a later one re-queues."""
    return {trial.user_attrs[AGAIN_OF] for trial in trials if AGAIN_OF in trial.user_attrs}


def counted(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that count: neither interrupted nor re-queued."""
    again = superseded(trials)
    return [trial for trial in trials if trial.number not in again and not was_interrupted(trial)]


def finished_counted(study: optuna.Study) -> list[FrozenTrial]:
    """The finished trials that count."""
    return [trial for trial in counted(study.get_trials(deepcopy=False)) if trial.state == TrialState.COMPLETE]


def finished_with_runs(study: optuna.Study) -> list[FrozenTrial]:
    """The finished trials that count and whose runs were there when `study run` last looked."""
    deleted = study.user_attrs.get(DELETED, [])
    return [trial for trial in finished_counted(study) if trial.number not in deleted]


def standing(complete: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Of finished trials those that stand for their cells, as ``distinct_trials`` has it of their runs."""

    def lateness(trial: FrozenTrial) -> tuple[int, datetime, int]:
        return trial.user_attrs.get(STUDENTS, 0), trial.datetime_complete or datetime.min, trial.number

    latest = {trial.user_attrs.get(CELL, trial.number): trial for trial in sorted(complete, key=lateness)}
    stands = {trial.number for trial in latest.values()}
    return [trial for trial in complete if trial.number in stands]


def _best(study: optuna.Study, complete: list[FrozenTrial]) -> FrozenTrial | None:
    """The standing trial with the best first objective, the earlier of equals. (Optuna gives none of several.)"""
    sign = 1.0 if study.directions[0] == StudyDirection.MAXIMIZE else -1.0
    return max(standing(complete), key=lambda trial: sign * trial.values[0]) if complete else None


def study_status(study: optuna.Study) -> StudyStatus:
    """Count a study's trials."""
    trials = study.get_trials(deepcopy=False)
    counting = counted(trials)
    deleted = study.user_attrs.get(DELETED, [])
    finished = [trial for trial in counting if trial.state == TrialState.COMPLETE]
    complete = [trial for trial in finished if trial.number not in deleted]
    verdict = study.user_attrs.get(VERDICT, {})
    verdict = verdict if verdict.get("finished") == len(complete) else {}  # else: of fewer trials than there are now
    best = _best(study, complete) if verdict.get("has_learned", True) else None
    return StudyStatus(
        name=study.study_name,
        metric=study.user_attrs.get(METRIC, ""),
        asked=int(study.user_attrs.get(ASKED, 0)),
        finished=len(complete),
        deleted=len(finished) - len(complete),
        pruned=sum(trial.state == TrialState.PRUNED for trial in counting),
        failed=sum(trial.state == TrialState.FAIL for trial in counting),
        running=sum(trial.state == TrialState.RUNNING for trial in counting),
        interrupted=len(trials) - len(counting),
        best_trial=best.number if best else None,
        best_value=best.values[0] if best else None,
        verdict=verdict.get("sentence", ""),
        measured=ObjectiveClips.from_tags(study.user_attrs.get(OBJECTIVE_CLIPS, {})),
    )
