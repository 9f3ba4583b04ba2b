"""What a report is made of: the runs of a study, and what is asked of them throughout."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from asc_experiments.metrics import ACCURACY, DEVICE, VALIDATION
from asc_experiments.statistics import Evidence
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.client.records import KIND, PARENT
from asc_experiments.tracking.decision import ReadEvidence, Standing, standing_among
from asc_experiments.tracking.judgement.doubts import Judgement
from asc_experiments.tracking.registry.candidate import Data
from asc_experiments.tracking.study_progress import ASKED_TRIALS, StudyProgress, progress_of, was_pruned
from asc_experiments.tracking.trials import (
    AGAIN_OF,
    CELL,
    CORPUS,
    DEVICE_GROUPS,
    DIRECTION,
    HELD_OUT,
    IMPORTED,
    OBJECTIVE,
    OBJECTIVE_VALUE,
    RECIPE,
    REPLICATE_KIND,
    SEED,
    SEED_KIND,
    SPLIT,
    STUDENT_SEEDS,
    STUDENTS,
    STUDENTS_TRAINED,
    TRAIN_SPLIT,
    TRIAL,
    TRIAL_KIND,
    distinct_trials,
    keys_of,
    last_replicated,
    spread_of,
)

GROUPS = ("real", "seen", "held_out", "unseen")
"""Groups of devices, in the order of tables; ``held_out`` are training devices that the study held out of training."""
MOST_COMPARED, _MOST_ALONE = 60, 20
"""How many of the best trials, and of those on labels alone, are compared place by place."""
_DEVICES = ACCURACY.of(DEVICE)


Judge = Callable[[RunRecord, Sequence[RunRecord]], Judgement]
"""Judges a trial, given the runs of its teachers."""


def _no_evidence(run_id: str, name: str) -> Mapping[str, Evidence]:
    return {}


def _not_judged(trial: RunRecord, teachers: Sequence[RunRecord]) -> Judgement:
    return Judgement(None, None, (), False, ())


@dataclass(frozen=True, eq=False)
class StudyRuns:
    """The runs of one study.

    Attributes:
        name: the study's.
        tags: of its experiment.
        runs: trials of any status, replicates, students that did not finish, the finished students of a trial or more.
        bank: every finished teacher of the tracking server, by key.
        singles: finished students of the experiment ``students``.
        data: what its networks were trained on and measured by.
        evidence: gives what the students of a run answered, when asked.
        judge: says whether a trial's students learned anything, and from whom, when asked.
        left_out: how many finished trials its experiment has that are of other studies of its name, which are not here.
    """

    name: str
    tags: Mapping[str, str]
    runs: tuple[RunRecord, ...]
    bank: Mapping[str, RunRecord]
    singles: tuple[RunRecord, ...] = ()
    data: Data = field(default_factory=Data)
    evidence: ReadEvidence = _no_evidence
    judge: Judge = _not_judged
    left_out: int = 0

    @cached_property
    def finished(self) -> tuple[RunRecord, ...]:
        """Every finished trial, by number."""
        found = [run for run in self._trial_runs if run.status == "FINISHED" and OBJECTIVE_VALUE in run.metrics]
        return tuple(sorted(found, key=number_of))

    @cached_property
    def trials(self) -> tuple[RunRecord, ...]:
        """The finished trials that are candidates, by number: of those with the same settings the latest.

        Its scores are of the students of all of them. (One that was tried again with fresh seeds stays.)
        """
        stands = {trial.run_id for trial in (*distinct_trials(self.finished), *self.again)}
        return tuple(trial for trial in self.finished if trial.run_id in stands)

    @property
    def pooled(self) -> int:
        """How many finished trials are told by a later one of the same settings."""
        return len(self.finished) - len(self.trials)

    @cached_property
    def pruned(self) -> tuple[RunRecord, ...]:
        """The trials that the pruner, or a limit of the study, ended."""
        found = [run for run in self._trial_runs if was_pruned(run)]
        return tuple(sorted(found, key=number_of))

    @cached_property
    def failed(self) -> tuple[RunRecord, ...]:
        """The trials that failed, did not finish later, and were not queued again as another trial."""
        later = {number_of(run) for run in (*self.finished, *self.pruned)}
        later |= {int(run.tags[AGAIN_OF]) for run in self._trial_runs if run.tags.get(AGAIN_OF, "").isdigit()}
        found = {number_of(run): run for run in self._trial_runs if run.status == "FAILED"}
        return tuple(run for number, run in sorted(found.items()) if number not in later)

    @cached_property
    def progress(self) -> StudyProgress:
        """How far the study has come."""
        return progress_of(self._trial_runs, self.tags.get(ASKED_TRIALS, ""))

    @cached_property
    def children(self) -> Mapping[str, tuple[RunRecord, ...]]:
        """The seeds and replicates of each trial, by the trial's run id."""
        found = defaultdict(list)
        for run in self.runs:
            if PARENT in run.tags:
                found[run.tags[PARENT]].append(run)
        return {parent: tuple(runs) for parent, runs in found.items()}

    @cached_property
    def teachers(self) -> Mapping[str, RunRecord]:
        """The teachers of the finished trials that are still in the bank, by key, in the order of their first use."""
        used = dict.fromkeys(key for trial in self.trials for key in keys_of(trial))
        return {key: self.bank[key] for key in used if key in self.bank}

    @cached_property
    def trained_for(self) -> Mapping[str, RunRecord]:
        """The teachers of all trials, of those too that came to no conclusion, that are still in the bank, by key."""
        used = dict.fromkeys(key for trial in (*self.finished, *self.pruned, *self.failed) for key in keys_of(trial))
        return {key: self.bank[key] for key in used if key in self.bank}

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """The devices of the test fold: real, seen, unseen, where the groups are known; else by name."""
        names = set(_DEVICES.members(self.metric_names))
        order = {group: place for place, group in enumerate(GROUPS)}
        return tuple(sorted(names, key=lambda name: (order.get(self.group_of.get(name, ""), len(order)), name)))

    @cached_property
    def metric_names(self) -> frozenset[str]:
        """What any of the finished trials, or their teachers, was measured by."""
        return frozenset().union(*(run.metrics for run in (*self.trials, *self.teachers.values())))

    @cached_property
    def group_of(self) -> Mapping[str, str]:
        """The group of each device; empty where the study does not say."""
        try:
            return {str(device): str(group) for device, group in json.loads(self.tags.get(DEVICE_GROUPS, "{}")).items()}
        except (ValueError, AttributeError):
            return {}

    @property
    def _trial_runs(self) -> list[RunRecord]:
        return [run for run in self.runs if run.tags.get(KIND) == TRIAL_KIND and run.tags.get(TRIAL, "").isdigit()]

    @property
    def attempts(self) -> list[RunRecord]:
        """The runs of its trials of any status, interrupted ones too: the study began with the first of them."""
        return self._trial_runs

    def of_kind(self, trial: RunRecord, kind: str) -> list[RunRecord]:
        """The finished seeds, or replicates, of a trial, by seed."""
        found = [run for run in self.children.get(trial.run_id, ()) if run.tags.get(KIND) == kind]
        return sorted((run for run in found if run.status == "FINISHED"), key=lambda run: int(run.tags.get(SEED, 0)))

    def students_of(self, trial: RunRecord) -> list[RunRecord]:
        """The finished students of a trial's cell that were read, of whichever trial, each seed once, by seed."""
        if CELL not in trial.tags:
            return self.of_kind(trial, SEED_KIND)
        cell = [run for run in self.runs if run.tags.get(CELL) == trial.tags[CELL] and run.tags.get(KIND) == SEED_KIND]
        found = {int(run.tags.get(SEED, 0)): run for run in cell if run.status == "FINISHED"}
        return [run for _, run in sorted(found.items())]

    def count(self, trial: RunRecord) -> int:
        """How many students a trial's means are of."""
        return int(trial.metrics.get(STUDENTS, 0)) or len(self.of_kind(trial, SEED_KIND)) or self.seeds

    @cached_property
    def seeds(self) -> int:
        """How many students the study trains for each trial."""
        trained = [int(trial.metrics[STUDENTS_TRAINED]) for trial in self.trials if STUDENTS_TRAINED in trial.metrics]
        return max([1, *trained, *(len(self.of_kind(trial, SEED_KIND)) for trial in self.trials)])

    @cached_property
    def corpus(self) -> str | None:
        """The digest of the corpus that the study's networks were trained on; None where that is not known."""
        return self._tag(CORPUS)

    @cached_property
    def held_out(self) -> Mapping[str, Any] | None:
        """Which clips the study held out of training; None where that is not known."""
        text = self._tag(HELD_OUT)
        return None if text is None else dict(json.loads(text))

    def _tag(self, name: str) -> str | None:
        """A tag that all trainings of a study share, of the first that has it."""
        return next((run.tags[name] for run in (*self.runs, *self.teachers.values()) if name in run.tags), None)

    def replicates(self, trial: RunRecord) -> list[RunRecord]:
        """The students of a trial that was tried again with fresh seeds."""
        return self.of_kind(trial, REPLICATE_KIND)

    def members(self, trial: RunRecord) -> list[RunRecord]:
        """The teachers of a trial that are still in the bank."""
        return [self.bank[key] for key in keys_of(trial) if key in self.bank]

    def kinds_of(self, trial: RunRecord) -> frozenset[str]:
        """The kinds of a trial's teachers, in whatever number: of one kind are those that differ by their seed alone.

        A teacher that is no longer in the bank is a kind of its own.
        """
        return frozenset(kind_of(self.bank[key]) if key in self.bank else key for key in keys_of(trial))

    def taught_by(self, trial: RunRecord) -> str:
        """The teachers in short, such as ``2 × cp_resnet-32-dirfms + cp_mobile-16-none``."""
        keys = keys_of(trial)
        if not keys:
            alone, on = trial.params.get("teachers", "labels alone"), trial.tags.get(TRAIN_SPLIT)
            return alone if on is None else f"{alone}@{on}"
        counts = Counter(kind_of(self.bank[key]) if key in self.bank else key for key in keys)
        return " + ".join(kind if count == 1 else f"{count} × {kind}" for kind, count in counts.items())

    @cached_property
    def again(self) -> tuple[RunRecord, ...]:
        """The trials that were tried again with fresh seeds the last time that any were."""
        return tuple(last_replicated(self.finished))

    @cached_property
    def compared(self) -> tuple[RunRecord, ...]:
        """The trials whose answers are read to compare them, best first: the best ones, and the best on labels alone.

        Thousands of trials have thousands of files, and no report waits for all of them.
        """
        alone = [trial for trial in self.best_first if not keys_of(trial)][:_MOST_ALONE]
        wanted = {trial.run_id for trial in (*self.best_first[:MOST_COMPARED], *alone)}
        return tuple(trial for trial in self.best_first if trial.run_id in wanted)

    @cached_property
    def shares_seeds(self) -> bool:
        """Whether students of different trials have seeds in common, as in studies of earlier versions all have."""
        seeds = [seed for trial in self.compared for seed in json.loads(trial.tags.get(STUDENT_SEEDS, "[1000]"))]
        return len(set(seeds)) < len(seeds)

    @cached_property
    def keeps_evidence(self) -> bool:
        """Whether the best trial's run says what its students answered; else an earlier version ran the study."""
        return bool(self.trials) and self.standing(self.best_first[0]).evidence is not None

    def standing(self, trial: RunRecord) -> Standing:
        """What a trial's students answered in the test fold: those with fresh seeds where it was tried again."""
        return standing_among(self.evidence, trial, self.again, len(self.trials))

    @property
    def first(self) -> Mapping[str, str]:
        """The tags that every trial shares; none where no trial has finished."""
        return self.trials[0].tags if self.trials else {}

    @property
    def objective(self) -> str:
        """The name of the metric that trials are chosen by."""
        return self.first.get(OBJECTIVE, "")

    @property
    def split(self) -> str:
        """What the objective is measured on: ``validation`` or ``test``."""
        return self.first.get(SPLIT, "")

    @property
    def sign(self) -> float:
        """1 where a larger objective is better, else -1."""
        return 1.0 if self.first.get(DIRECTION, "maximize") == "maximize" else -1.0

    @cached_property
    def best_first(self) -> tuple[RunRecord, ...]:
        """The finished trials, best objective first."""
        return tuple(sorted(self.trials, key=lambda trial: -self.sign * trial.metrics[OBJECTIVE_VALUE]))


def number_of(trial: RunRecord) -> int:
    """A trial's number."""
    return int(trial.tags[TRIAL])


def kind_of(teacher: RunRecord) -> str:
    """A teacher's name without its seed: teachers of one kind differ by that alone, not by what they are trained on."""
    return teacher.name if IMPORTED in teacher.tags else re.sub(r"-s\d+(?=$|@)", "", teacher.name)


def recipe_of(run: RunRecord) -> Mapping[str, Any] | None:
    """A network's Recipe as it was logged; None where there is none. (That of imported weights is what they are said
    to have been trained with.)
    """
    try:
        recipe = json.loads(run.tags[RECIPE])
        return recipe if {"network", "augmentation", "optimisation"} <= set(recipe) else None
    except (KeyError, ValueError, TypeError):
        return None


def device_names(runs: Iterable[RunRecord]) -> set[str]:
    """The devices that any of the runs was scored on."""
    return set().union(*(_DEVICES.members(run.metrics) for run in runs))


def spread(metrics: Mapping[str, float], name: str) -> float | None:
    """The standard deviation of a metric over seeds; None where there is one seed."""
    return metrics.get(spread_of(name))


def objective_name(objective: str, split: str) -> str:
    """The objective's name among the metrics of a run."""
    on_validation = split == "validation" and not objective.startswith("complexity/")
    return f"{VALIDATION}/{objective}" if on_validation else objective


def group_word(group: str) -> str:
    """A group of devices for people."""
    return group.replace("_", " ")
