"""The live view of a study: what is being trained, how far it is, what was found, and the time left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import optuna
from rich.table import Table

from asc_experiments.base.ownership import is_gone
from asc_experiments.metrics import VALIDATION_ACCURACY, value_in_words
from asc_experiments.report.words import duration
from asc_experiments.study.storage.trial_status import StudyStatus, study_status
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.bulk_read import runs_of_kinds
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND, OWNER
from asc_experiments.tracking.study_identity import STUDY_ID, only_of
from asc_experiments.tracking.trials import (
    EPOCH,
    EPOCH_SECONDS,
    GENERAL_KIND,
    REPLICATE_KIND,
    SEED,
    SEED_KIND,
    STUDENTS,
    STUDENTS_TRAINED,
    STUDY,
    TEACHER_KEY,
    TRAINING_SECONDS,
    TRIAL,
    TRIAL_KIND,
    keys_of,
    study_experiment,
)

_BAR_WIDTH = 16
_CLOCKS_APART_S = 600.0
"""By how much the clocks of two hosts may differ that end trials of one study."""
_IDLE_S = 5.0
"""For so long nobody may seem to work on a study that goes on: between two trials, or before the first."""
_TIMED = 12
"""Of so many trials that finished last the times are read at the first look: of thousands it would take long."""
_TRAININGS = (SEED_KIND, REPLICATE_KIND, GENERAL_KIND, "teacher")


@dataclass(frozen=True)
class Training:
    """An active training.

    Attributes:
        name: of the network.
        role: teacher, seed or replicate.
        trial: its number; None for a teacher, which belongs to none.
        epoch: how many are done; 0 before the first is.
        epochs: how many there will be.
        accuracy: overall, on held-out clips, after the last epoch; None where nothing is held out.
        seconds_left: None before the first epoch is done.
    """

    name: str
    role: str
    trial: int | None
    epoch: int
    epochs: int
    accuracy: float | None
    seconds_left: float | None
    seed: int | None = None
    """Of a student; None for a teacher, whose name has it."""
    taught_by: str = ""
    """Of a student: the names of its teachers, or labels alone."""


@dataclass(frozen=True)
class StudyView:
    """A study as it is now.

    Attributes:
        status: its counts and its best trial.
        trainings: those active: its students, and all teachers, which may serve several studies.
        teachers: how many distinct ones its finished trials learned from.
        uses: how often they did.
        found: how many of those teachers were there before the study began.
        seconds_left: an estimate from the finished trials; None before there is one.
        is_active: whether somebody works on it.
    """

    status: StudyStatus
    trainings: tuple[Training, ...]
    teachers: int
    uses: int
    found: int
    seconds_left: float | None
    is_active: bool = True

    @property
    def teachers_in_training(self) -> int:
        """How many teachers are being trained, of any study."""
        return sum(training.role == "teacher" for training in self.trainings)

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        found = {key: value for key, value in asdict(self).items() if key != "status"}
        return self.status.facts() | found


def view_study(study: optuna.Study, tracking: Tracking) -> StudyView:
    """Look at a study in Optuna's storage and in the tracking server, once.

    Raises:
        AscError: if the tracking server knows no such study.
    """
    return Watch(study, tracking).look()


class Watch:
    """Looks at a study again and again, and asks the tracking server only for what has changed since the last look.

    Args:
        study: in Optuna's storage.
        tracking: the server.
    """

    def __init__(self, study: optuna.Study, tracking: Tracking) -> None:
        self._study, self._tracking = study, tracking
        self._finished: dict[str, RunRecord] = {}
        self._timed: dict[str, RunRecord] = {}
        self._names: dict[str, str] = {}
        self._looked: float | None = None
        self._teachers_began: dict[str, int | None] = {}
        self._idle_since: float | None = None
        self._idle_looks = 0
        self._is_finished = False

    @property
    def has_ended(self) -> bool:
        """Whether the study is finished, or nobody has worked on it for longer than a driver takes between trials."""
        if self._idle_since is None:
            return False
        return self._is_finished or (self._idle_looks > 1 and time.monotonic() - self._idle_since >= _IDLE_S)

    def look(self) -> StudyView:
        """The study as it is now.

        Raises:
            AscError: if the tracking server knows no such study.
        """
        tracking = self._tracking
        status = study_status(self._study)
        own = study_experiment(tracking, self._study.study_name)
        bank = [tracking.experiment("teachers")] if tracking.has_experiment("teachers") else []
        running = tracking.search([own, *bank], where(status="RUNNING"))
        self._finished |= {trial.run_id: trial for trial in self._finished_since(own)}
        trials = list(self._finished.values())
        used = [key for trial in trials for key in keys_of(trial)]
        own_runs = [record for record in running if STUDY in record.tags and not is_gone(record.tags.get(OWNER))]
        is_active = status.running > 0 or any(record.tags[STUDY] == status.name for record in own_runs)
        self._idle_since = None if is_active else self._idle_since or time.monotonic()
        self._idle_looks = 0 if is_active else self._idle_looks + 1  # one look may take longer than that, by itself
        self._is_finished = status.done >= status.asked and bool(status.verdict)
        return StudyView(
            is_active=is_active,
            status=status,
            trainings=tuple(self._training(each, bank) for each in running if each.tags.get(KIND) in _TRAININGS),
            teachers=len(set(used)),
            uses=len(used),
            found=len(self._older(bank, set(used), trials)),
            seconds_left=_seconds_left(status, list(self._timed.values()), running),
        )

    def _training(self, record: RunRecord, bank: Sequence[str]) -> Training:
        if record.tags[KIND] == "teacher":
            return _training(record)
        keys = keys_of(record)
        for key in set(keys) - self._names.keys():
            found = self._tracking.search(bank, where({TEACHER_KEY: key}, status="FINISHED"), limit=1) if bank else []
            self._names[key] = found[0].name if found else key
        return _training(record, " + ".join(self._names[key] for key in keys) or "labels alone")

    def _finished_since(self, own: str) -> list[RunRecord]:
        """The trials that have finished since the last look; at the first look all of them."""
        now, last, identity = time.time(), self._looked, self._study.user_attrs.get(STUDY_ID, "")
        if last is None:
            runs = only_of(identity, runs_of_kinds(self._tracking, own, [TRIAL_KIND], tags_alone=True))
            found = [run for run in runs if run.status == "FINISHED"]
            latest = sorted(found, key=lambda run: -(run.end_time or 0))[:_TIMED]
            self._timed = {run.run_id: self._tracking.get(run.run_id) for run in latest}
        else:
            own_trials = {KIND: TRIAL_KIND, STUDY_ID: identity or None}
            since = int(1_000 * (last - _CLOCKS_APART_S))
            found = self._tracking.search([own], where(own_trials, status="FINISHED", ended_after=since))
            self._timed |= {run.run_id: run for run in found}
        self._looked = now
        return found

    def _older(self, bank: Sequence[str], used: set[str], trials: Sequence[RunRecord]) -> set[str]:
        """The keys of teachers that had been made before the study's first trial began."""
        if not bank or not trials:
            return set()
        began = self._teachers_began
        if new := used - began.keys():
            runs = runs_of_kinds(self._tracking, bank[0], ["teacher"], tags_alone=True)
            made = {run.tags.get(TEACHER_KEY): run.start_time for run in reversed(runs) if run.status == "FINISHED"}
            began |= {key: made.get(key) for key in new}
        attempts = self._study.get_trials(deepcopy=False)  # interrupted ones trained teachers too
        began_ms = [1_000 * each.datetime_start.timestamp() for each in attempts if each.datetime_start]
        first = min([*began_ms, *(trial.start_time for trial in trials)])
        return {key for key in used if (start := began[key]) is not None and start < first}


def _training(record: RunRecord, taught_by: str = "") -> Training:
    metrics = record.metrics
    epoch, epochs = int(metrics.get(EPOCH, 0)), int(record.params.get("epochs", 0))
    pace = metrics.get(EPOCH_SECONDS)
    trial, seed = record.tags.get(TRIAL), record.tags.get(SEED, "")
    return Training(
        name=record.name if trial is None else record.params.get("arch", ""),
        role=record.tags[KIND],
        trial=None if trial is None else int(trial),
        epoch=epoch,
        epochs=epochs,
        accuracy=metrics.get(VALIDATION_ACCURACY),
        seconds_left=None if pace is None else pace * (epochs - epoch),
        seed=int(seed) if seed.isdigit() else None,
        taught_by=taught_by,
    )


def _seconds_left(status: StudyStatus, trials: Sequence[RunRecord], running: Sequence[RunRecord]) -> float | None:
    """The trials to come, each as long as those before, so many at a time as are active."""
    lengths = [length for trial in trials if (length := _length(trial)) is not None]
    if not lengths:
        return None
    active = [record for record in running if record.tags.get(KIND) == TRIAL_KIND and STUDY in record.tags]
    each = sum(lengths) / len(lengths)
    spent = sum(min(each, time.time() - record.start_time / 1_000) for record in active)
    to_come = (status.asked - status.done) * each - spent
    return max(0.0, to_come) / max(1, len(active))


def _length(trial: RunRecord) -> float | None:
    """The seconds that a trial would take all of whose students are trained; None where hardly any of them was.

    Of a trial that resumed, its run has the last attempt alone; the time of its trainings is that of all attempts.
    """
    if not trial.end_time:
        return None
    taken = (trial.end_time - trial.start_time) / 1_000
    students = trial.metrics.get(STUDENTS, 1.0)
    trained = trial.metrics.get(STUDENTS_TRAINED, students)
    if 2 * trained < students:
        return None
    whole = students / trained
    return max(taken * whole, trial.metrics.get(TRAINING_SECONDS, 0.0) * whole / students)


def watch_table(view: StudyView) -> Table:
    """The active trainings as a table, with the study's counts above and what was found below."""
    table = Table(title=_title(view), caption=_caption(view), title_justify="left", caption_justify="left")
    for heading in ("training", "network", "epoch", "", "accuracy so far", "left"):
        table.add_column(heading, justify="right" if heading in ("epoch", "accuracy so far", "left") else "left")
    for training in view.trainings:
        number = "" if training.seed is None else f" {training.seed}"
        role = training.role if training.trial is None else f"trial {training.trial}, {training.role}{number}"
        taught_by = f" from {training.taught_by}" if training.taught_by else ""
        accuracy = "" if training.accuracy is None else f"{100 * training.accuracy:.1f} %"
        left = "" if training.seconds_left is None else duration(training.seconds_left)
        epochs = f"{training.epoch} / {training.epochs}"
        table.add_row(
            role, f"{training.name}{taught_by}", epochs, _bar(training.epoch, training.epochs), accuracy, left
        )
    if not view.trainings:
        table.add_row("nothing is being trained", "", "", "", "", "")
    return table


def ended_in_words(status: StudyStatus) -> str:
    """What is said when there is nothing more to watch."""
    if status.done >= status.asked:
        verdict = f": {status.verdict}" if status.verdict else ""
        return f"study {status.name} is finished{verdict}"
    done = f"{status.done} of {status.asked} trials are done"
    return f"nobody works on study {status.name}: {done}; the command that began it resumes: asc study run"


def _title(view: StudyView) -> str:
    status = view.status
    counts = {"pruned": status.pruned, "failed": status.failed}
    parts = [f"{status.name}: {status.done} of {status.asked} trials done"]
    parts += [f"{number} {what}" for what, number in counts.items() if number]
    if view.seconds_left is not None and status.done < status.asked:
        parts.append(f"about {duration(view.seconds_left)} left")
    return ", ".join(parts)


def _caption(view: StudyView) -> str:
    status = view.status
    before = "was" if view.found == 1 else "were"
    told = f"teachers of finished trials: {view.teachers}, used {view.uses} times"
    told += f"; {view.found} {before} in the bank before the study began" if view.teachers else ""
    training = view.teachers_in_training
    lines = [f"{told}; {training} being trained" if training else told]
    if status.best_value is not None:
        reached = value_in_words(status.metric, status.best_value)
        lines.insert(0, f"best so far: trial {status.best_trial}, {status.metric} {reached}")
    if status.measured is not None:
        lines.insert(0, f"objective: {status.measured.note}")
    return "\n".join(lines)


def _bar(done: int, total: int) -> str:
    filled = round(_BAR_WIDTH * done / total) if total else 0
    return "█" * filled + "░" * (_BAR_WIDTH - filled)
