"""Studies that move: Optuna's part of an archive, beside the runs of :mod:`asc_experiments.migration`.

Trials keep their numbers, so that a study continues elsewhere as if it had always been there. A study that is there
already is left as it is where it knows more, continues where the archive does, and is refused where they have parted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import optuna
from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from pydantic import Field, JsonValue

from asc_experiments.base.errors import AscError
from asc_experiments.migration.records import Record, StudyName
from asc_experiments.study.storage.trial_status import CORPUS, DEFINITION, DIRS, KEY_SCHEMA, OWNER, was_interrupted
from asc_experiments.tracking.study_identity import STUDY_ID

_SAME, _AHEAD, _BEHIND, _PARTED = "same", "ahead", "behind", "parted"
_UNFINISHED = (TrialState.WAITING, TrialState.RUNNING)


class TrialEntry(Record):
    """A trial as Optuna has it; its times are in UTC, ISO 8601."""

    state: Annotated[str, Field(pattern=r"^(COMPLETE|PRUNED|FAIL|RUNNING|WAITING)$")]
    values: list[float] | None
    params: dict[str, JsonValue]
    distributions: dict[str, str]
    user_attrs: dict[str, JsonValue]
    system_attrs: dict[str, JsonValue]
    intermediate_values: dict[int, float]
    started: str | None
    completed: str | None


class StudyEntry(Record):
    """A study with all its trials in the order of their numbers."""

    name: StudyName
    directions: list[Annotated[str, Field(pattern=r"^(MINIMIZE|MAXIMIZE)$")]]
    user_attrs: dict[str, JsonValue]
    system_attrs: dict[str, JsonValue]
    trials: list[TrialEntry]


def study_entry(study: optuna.Study) -> StudyEntry:
    """A whole study.

    Raises:
        AscError: if a driver is working on it, or it was not made by this program.
    """
    if not is_ours(study):
        raise AscError(f"study '{study.study_name}'", "was not run by asc study run", "give another --study")
    refuse_running(study)
    return StudyEntry(
        name=study.study_name,
        directions=[direction.name for direction in study.directions],
        user_attrs=dict(study.user_attrs),
        system_attrs=dict(study._storage.get_study_system_attrs(study._study_id)),
        trials=[_entry(trial) for trial in study.get_trials(deepcopy=False)],
    )


def is_ours(study: optuna.Study) -> bool:
    """Whether a study was begun from a study file; a storage may have others."""
    return DEFINITION in study.user_attrs


def refuse_running(study: optuna.Study) -> None:
    """Refuse to move a study that a driver is working on.

    Raises:
        AscError: if one is.
    """
    for trial in study.get_trials(deepcopy=False):
        if trial.state == TrialState.RUNNING and not was_interrupted(trial):
            what = f"trial {trial.number} is active in another process"
            raise AscError(f"study '{study.study_name}'", what, "stop it with Ctrl-C, or wait; it resumes after that")


class StudyImport:
    """A study on its way into a storage; whether it can go there is known before anything is written.

    Args:
        entry: the study.
        storage: where to.

    Raises:
        AscError: if the storage has another study of that name, or the same one with other trials.
    """

    def __init__(self, entry: StudyEntry, storage: BaseStorage, where: str) -> None:
        self.entry, self._storage = entry, storage
        try:
            self._trials = [_trial(number, trial) for number, trial in enumerate(entry.trials)]
        except (ValueError, TypeError, KeyError) as error:
            raise AscError(where, f"is no study of Optuna ({error})", "export it again") from None
        self.is_there = entry.name in optuna.get_all_study_names(storage)
        self._known: Sequence[FrozenTrial] = ()
        self._replaces = False
        if self.is_there:
            self._compare()

    @property
    def added(self) -> int:
        """How many trials the storage lacks, or knows less of."""
        return len(self._trials) if self._replaces else max(0, len(self._trials) - len(self._known))

    def carry_out(self) -> int:
        """Write what the storage lacks; how many trials that were."""
        added = self.added
        if self._replaces:
            optuna.delete_study(study_name=self.entry.name, storage=self._storage)
        directions = [StudyDirection[name] for name in self.entry.directions]
        study = optuna.create_study(
            study_name=self.entry.name, storage=self._storage, directions=directions, load_if_exists=True
        )
        attributes = study.user_attrs
        for key, value in self.entry.user_attrs.items():
            if key not in attributes or (added and attributes[key] != value):
                study.set_user_attr(key, value)
        known = self._storage.get_study_system_attrs(study._study_id)
        for key, value in self.entry.system_attrs.items():
            if key not in known:
                self._storage.set_study_system_attr(study._study_id, key, value)
        for trial in self._trials[len(self._trials) - added :]:
            study.add_trial(trial)
        return added

    def _compare(self) -> None:
        study, where = (
            optuna.load_study(study_name=self.entry.name, storage=self._storage),
            f"study '{self.entry.name}'",
        )
        known = study.user_attrs
        parts = ((KEY_SCHEMA, "keys, by another version"), (DEFINITION, "settings"), (CORPUS, "corpus content"))
        for key, what in (*parts, (DIRS, "impulse responses")):
            if known.get(key) != self.entry.user_attrs.get(key) and key in known:
                raise AscError(where, f"is there already with other {what}", "import into another --storage")
        self._known = study.get_trials(deepcopy=False)
        if self._known and known.get(STUDY_ID) != self.entry.user_attrs.get(STUDY_ID):
            what = "is there already, begun anew: another study of that name"
            raise AscError(where, what, "import into another --storage and --tracking-uri")
        verdicts = {_compared(here, ours) for here, ours in zip(self._known, self._trials, strict=False)}
        here_is_ahead = _AHEAD in verdicts or len(self._known) > len(self._trials)
        we_are_ahead = _BEHIND in verdicts or len(self._trials) > len(self._known)
        if _PARTED in verdicts or (here_is_ahead and we_are_ahead):
            what = "went on both here and where it was exported, with other trials"
            raise AscError(where, what, "import into another --storage and --tracking-uri")
        if we_are_ahead:
            refuse_running(study)
        self._replaces = _BEHIND in verdicts or known.get(STUDY_ID) != self.entry.user_attrs.get(STUDY_ID)


def _compared(here: FrozenTrial, ours: FrozenTrial) -> str:
    """How the trial of a number here stands to the archive's."""

    def seen(trial: FrozenTrial) -> tuple[object, ...]:
        return trial.state, trial.params, trial.values, _seconds(trial.datetime_start)

    if seen(here) == seen(ours):
        return _SAME
    if ours.state in _UNFINISHED:
        return _AHEAD
    return _BEHIND if here.state in _UNFINISHED else _PARTED


def _entry(trial: FrozenTrial) -> TrialEntry:
    """A trial; one that was interrupted has no owner any more, so that everybody knows."""
    is_running = trial.state == TrialState.RUNNING
    kept = {key: value for key, value in trial.user_attrs.items() if not (is_running and key == OWNER)}
    return TrialEntry(
        state=trial.state.name,
        values=None if trial.values is None else [float(value) for value in trial.values],
        params=dict(trial.params),
        distributions={name: distribution_to_json(each) for name, each in trial.distributions.items()},
        user_attrs=kept,
        system_attrs=dict(trial.system_attrs),
        intermediate_values={int(step): float(value) for step, value in trial.intermediate_values.items()},
        started=_written(trial.datetime_start),
        completed=_written(trial.datetime_complete),
    )


def _trial(number: int, entry: TrialEntry) -> FrozenTrial:
    """A trial for Optuna to add.

    Raises:
        ValueError: if Optuna refuses it.
    """
    distributions = {name: json_to_distribution(text) for name, text in entry.distributions.items()}
    trial = FrozenTrial(
        number=number,
        trial_id=number,
        state=TrialState[entry.state],
        value=None,
        values=entry.values,
        datetime_start=_read(entry.started),
        datetime_complete=_read(entry.completed),
        params=dict(entry.params),
        distributions=distributions,
        user_attrs=dict(entry.user_attrs),
        system_attrs=dict(entry.system_attrs),
        intermediate_values=dict(entry.intermediate_values),
    )
    trial._validate()
    return trial


def _written(time: datetime | None) -> str | None:
    """Optuna's times are local and do not say so: they move in UTC."""
    return None if time is None else time.astimezone(UTC).isoformat()


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone().replace(tzinfo=None)


def _seconds(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())
