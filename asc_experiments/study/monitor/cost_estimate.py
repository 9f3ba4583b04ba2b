"""What a study will cost before it is begun: trials, distinct teachers, those in the bank, hours on this machine."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
from optuna.storages import BaseStorage

from asc_experiments.base.progress import hushed, progress
from asc_experiments.corpus.splits import held_out_device_clips
from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.distill.teacher import name_on
from asc_experiments.models.architecture import ARCHITECTURES
from asc_experiments.report.words import duration
from asc_experiments.study.definition.parameter_range import Scalar
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.runner.cells import FIRST_FRESH
from asc_experiments.study.runner.recovery import NUMBER_IN_FILE, own_trials, queued_numbers
from asc_experiments.study.runner.replication import candidates
from asc_experiments.study.runner.stores import refuse_without_runs
from asc_experiments.study.runner.validation import check_study, objective_clips, refuse_changed
from asc_experiments.study.search.grid_subset import value_counts
from asc_experiments.study.search.samplers import sampler
from asc_experiments.study.search.search_space import Queued, SearchSpace, TrialPlan
from asc_experiments.study.search.suggestions import Given
from asc_experiments.study.storage.trial_status import SEEDS, counted, study_status
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND, PARENT
from asc_experiments.tracking.objective import ObjectiveClips
from asc_experiments.tracking.trials import REPLICATE_KIND, SEED, TRIAL, finished_trials
from asc_experiments.training import Recipe
from asc_experiments.training.losses import LOSSES, PUBLISHED
from asc_experiments.training.timing import Pace, time_convolution, time_training


@dataclass(frozen=True)
class PlannedTraining:
    """Networks of one Recipe but for their seed.

    Attributes:
        name: what they are.
        role: ``teacher``, ``student`` or ``replicate``; ``by device`` is the fine-tuning of a student for all devices.
        distinct: how many there will be.
        in_bank: how many of them need no training.
        epochs: of each.
        seconds: that one training takes here, alone on the machine.
    """

    name: str
    role: str
    distinct: int
    in_bank: int
    epochs: int
    seconds: float

    @property
    def hours(self) -> float:
        """Of all that are to be trained, one after another."""
        return (self.distinct - self.in_bank) * self.seconds / 3600


@dataclass(frozen=True)
class StudyPlan:
    """What a study will do.

    Attributes:
        study: its name.
        trials: in total.
        finished: how many of them need no more work.
        is_exact: whether the trials are known; else what a sampler will choose was guessed here.
        trainings: one row per Recipe and role.
        held_out: of each held-out device, how many of its training clips are validated on, and how many there are.
        measured: what each objective is measured on.
        left_out: the parameters of a grid's cells that are more than there are trials.
        values: where cells are left out, how many trials have each value of each parameter.
    """

    study: str
    trials: int
    finished: int
    is_exact: bool
    trainings: tuple[PlannedTraining, ...]
    measured: tuple[ObjectiveClips, ...] = ()
    held_out: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    left_out: tuple[Mapping[str, Scalar], ...] = ()
    values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    student_augments: tuple[str, ...] = ()
    """How students are augmented themselves, whatever their teachers are."""
    losses: tuple[str, ...] = ()
    """By which losses students learn from teachers, where that is not by the published one alone."""
    needs_embeddings: bool = False
    """Whether one of them needs embeddings, which are computed once of each teacher."""
    luck: str = ""
    """That kinds of teachers of one network cannot be told from its luck, with what three of each would cost."""

    too_many: str = ""
    """That more trials are asked for than a grid has cells; empty where they are not."""
    processors: int = 1
    load: float = field(default=0.0, compare=False)
    """How many processors this machine has for the study, and how many programs want one, on average of a minute."""
    leak: str = ""
    """That test clips are from places that are trained on too; empty where none are."""

    @property
    def hours(self) -> float:
        """Of one training after another on this machine."""
        return sum(training.hours for training in self.trainings)

    @property
    def hours_with_workers(self) -> float:
        """Of as many trainings at a time as there are processors, at best; no less than the longest training takes.

        Trainings share the processors: how much several at a time gain depends on how many of them one keeps busy.
        """
        left = [training.seconds for training in self.trainings if training.distinct > training.in_bank]
        return max(self.hours / self.processors, max(left, default=0.0) / 3600)

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        teachers = [training for training in self.trainings if training.role == "teacher"]
        return {
            "study": self.study,
            "trials": self.trials,
            "finished": self.finished,
            "exact": self.is_exact,
            "teachers": sum(training.distinct for training in teachers),
            "teachers_in_bank": sum(training.in_bank for training in teachers),
            "trainings": sum(training.distinct - training.in_bank for training in self.trainings),
            "hours": round(self.hours, 4),
            "student_augments": list(self.student_augments),
            "losses": list(self.losses),
            "needs_embeddings": self.needs_embeddings,
            "luck": self.luck,
            "leak": self.leak,
            "too_many": self.too_many,
            "processors": self.processors,
            "load": round(self.load, 1),
            "hours_with_workers": round(self.hours_with_workers, 4),
            "held_out_devices": {d: {"validated": used, "of": every} for d, (used, every) in self.held_out.items()},
            "left_out": [dict(params) for params in self.left_out],
            "values": {name: dict(counts) for name, counts in self.values.items()},
            "objectives": [vars(each) | {"note": each.note} for each in self.measured],
            "rows": [vars(training) | {"hours": round(training.hours, 4)} for training in self.trainings],
        }


def plan_study(file: StudyFile, bench: TrainingContext, storage: BaseStorage, clock: Clock | None = None) -> StudyPlan:
    """Plan a study without training anything but a timed warm-up of each Recipe.

    Args:
        file: the study.
        bench: its corpus and tracking server.
        storage: Optuna's.
        clock: knows what was timed before.

    Raises:
        AscError: as running it would.
    """
    refuse_without_runs(file.name, storage, bench.tracking)
    space, bank = SearchSpace(file), TeacherBank(bench.tracking)
    check_study(space, bench, bank)
    refuse_changed(space, bench, storage)
    queued, finished, done = _finished(file, storage)
    queue, asked = space.queue()
    chosen = own_trials(queue, queued, asked)
    numbers = {number for number, _ in chosen}
    left_out = [params for number, params in queue if number not in numbers] if file.sampler == "grid" else []
    known = [_planned(space, params) for number, params in chosen if number not in finished]
    ahead = known[: max(0, asked - done)]
    drawn = _drawn(space, asked - done - len(ahead))
    plans = [plan for plan, _ in ahead] + drawn
    again = _replicates_ahead(file, plans, asked) if plans else _replicates_left(space, bench, storage)
    keys = {teacher.key for teacher in bank.all()}
    trainings = _trainings(file, bench, keys, plans, again, clock or Clock())
    is_exact = not drawn and all(is_whole for _, is_whole in ahead)
    measured = tuple(found for objective in file.objectives if (found := objective_clips(objective, bench)))
    values = _values(queue, chosen) if left_out else {}
    held_out = held_out_device_clips(bench.corpus, file.validation)
    planned = StudyPlan(file.name, asked, done, is_exact, tuple(trainings), measured, held_out)
    every = [_planned(space, params)[0] for _, params in chosen] + drawn
    augments = tuple(sorted({plan.student.augment for plan in every}))
    luck = _luck(file, every, trainings)
    planned = replace(planned, leak=bench.corpus.shared_places().note, too_many=space.too_many)
    planned = replace(planned, processors=_processors(), load=os.getloadavg()[0])
    losses = tuple(sorted({plan.distillation.name for plan in every if plan.teachers}))
    if losses != (PUBLISHED,):
        needing = any(LOSSES[name].needs_embeddings for name in losses)
        planned = replace(planned, losses=losses, needs_embeddings=needing)
    return replace(planned, left_out=tuple(left_out), values=values, student_augments=augments, luck=luck)


Cell = tuple[Mapping[str, Scalar], TrialPlan]
"""The parameters that a trial is given, as far as they are known, and its plan."""


def cells_anew(file: StudyFile) -> list[Cell]:
    """The trials of a study that is begun anew; what a sampler will choose is guessed."""
    space = SearchSpace(file)
    queue, asked = space.queue()
    known = [(params, _planned(space, params)[0]) for _, params in own_trials(queue, (), asked)]
    drawn: list[Cell] = [({}, plan) for plan in _drawn(space, asked - len(known))]
    return known + drawn


def trainings_anew(
    file: StudyFile, cells: Sequence[Cell], bench: TrainingContext, in_bank: Collection[str], clock: Clock
) -> list[PlannedTraining]:
    """What a study that is begun anew trains, and how long that takes here.

    Args:
        file: the study.
        cells: its trials, as :func:`cells_anew` has them.
        bench: its corpus and tracking server.
        in_bank: the keys of the teachers that are there.
        clock: knows what was timed before.
    """
    plans = [plan for _, plan in cells]
    with hushed():  # what it times was timed before, but for shapes that only other trials have
        return _trainings(file, bench, in_bank, plans, _replicates_ahead(file, plans, len(cells)), clock)


def kinds_of_one(teachers: Iterable[Recipe]) -> list[str]:
    """The kinds of teachers that are one network each, where there are several: no luck of a seed shows in them."""
    return _of_one(_kind(recipe, "") for recipe in set(teachers))


def _of_one(names: Iterable[str]) -> list[str]:
    kinds = Counter(names)
    return sorted(kind for kind, networks in kinds.items() if networks == 1) if len(kinds) > 1 else []


def _luck(file: StudyFile, plans: Sequence[TrialPlan], trainings: Sequence[PlannedTraining]) -> str:
    """That kinds of one network cannot be told from its luck, and what three of each would cost; empty otherwise."""
    made = [[(each, plan.train_split) for each in plan.teachers if isinstance(each, Recipe)] for plan in plans]
    kinds = _of_one(_kind(*each) for each in {each for teachers in made for each in teachers})
    if not kinds:
        return ""
    names = Counter(kinds)
    for plan, teachers in zip(plans, made, strict=True):
        if any(_kind(*each) in kinds for each in teachers):
            names[_kind(plan.student, plan.train_split)] += file.seeds
    seconds = {training.name: training.seconds for training in trainings}
    cost = f"{2 * names.total():,} more trainings"
    if all(name in seconds for name in names):
        cost += f", {duration(2 * sum(count * seconds[name] for name, count in names.items()))}"
    more = "" if file.trials is None else "; then raise trials too, or most of the new cells have none"
    return (
        f"one network each of {', '.join(kinds)}: a kind cannot be told from the luck of its network; three of each, "
        f"and students of every one, take {cost} (seed: [0, 1, 2] in the pool{more})"
    )


def _processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _planned(space: SearchSpace, params: Mapping[str, Scalar]) -> tuple[TrialPlan, bool]:
    """The plan of a queued trial, and whether all of its parameters are given: a sampler draws the rest."""
    asked = Given(params, "enqueue")
    return space.plan(asked), asked.used <= params.keys()


def _values(queue: Sequence[Queued], chosen: Sequence[Queued]) -> dict[str, dict[str, int]]:
    """How many of the chosen trials have each value of each parameter; none for a value that is left out."""
    counts = value_counts([params for _, params in chosen])
    every = value_counts([params for _, params in queue])
    return {name: {value: counts.get(name, {}).get(value, 0) for value in values} for name, values in every.items()}


def _finished(file: StudyFile, storage: BaseStorage) -> tuple[set[int], set[int], int]:
    """Which of the file's own trials, or cells, were queued, which need no more work; how many trials need none."""
    if file.name not in optuna.get_all_study_names(storage):
        return set(), set(), 0
    study = optuna.load_study(study_name=file.name, storage=storage)
    trials = study.get_trials(deepcopy=False)
    over = [trial for trial in counted(trials) if trial.state.is_finished()]
    numbers = {trial.user_attrs[NUMBER_IN_FILE] for trial in over if NUMBER_IN_FILE in trial.user_attrs}
    return queued_numbers(study), numbers, study_status(study).done


def _drawn(space: SearchSpace, number: int) -> list[TrialPlan]:
    """So many trials drawn at random, as a sampler draws before it knows anything."""
    random = space.study.model_copy(update={"sampler": "random"})
    study = optuna.create_study()
    plans = []
    for trial_number in range(max(0, number)):
        study.sampler = sampler(random, trial_number)
        plans.append(space.plan(study.ask()))
    return plans


Row = tuple[str, tuple[Recipe, str], int, int]
"""A role, the network and the list that it is trained on, how many there will be, how many are there."""


def _replicates_ahead(file: StudyFile, plans: Sequence[TrialPlan], asked: int) -> list[Row]:
    """The students with fresh seeds of a study with trials to come: of which trials is not known, so of the usual."""
    if file.replicate is None:
        return []
    students = Counter((plan.student, plan.train_split) for plan in plans)
    count = (min(file.replicate.best, max(0, asked - 1)) + 1) * file.replicate.seeds
    return [("replicate", students.most_common(1)[0][0], count, 0)]


def _replicates_left(space: SearchSpace, bench: TrainingContext, storage: BaseStorage) -> list[Row]:
    """The students with fresh seeds of a study whose trials have all finished, and how many of them are there."""
    file = space.study
    if file.replicate is None or file.name not in optuna.get_all_study_names(storage):
        return []
    study = optuna.load_study(study_name=file.name, storage=storage)
    records = {record.tags[TRIAL]: record for record in finished_trials(bench.tracking, file.name)}
    chosen = [trial for trial in candidates(study, file.replicate.best) if str(trial.number) in records]
    wanted: Counter[tuple[Recipe, str]] = Counter()
    present: Counter[tuple[Recipe, str]] = Counter()
    for trial in chosen:
        plan, record = space.plan_of(trial.params, f"trial {trial.number}"), records[str(trial.number)]
        first = (trial.user_attrs.get(SEEDS) or [plan.student.seed])[0] + FIRST_FRESH
        seeds = {str(seed) for seed in range(first, first + file.replicate.seeds)}
        query = where({PARENT: record.run_id, KIND: REPLICATE_KIND}, status="FINISHED")
        trained = {run.tags.get(SEED) for run in bench.tracking.search([record.experiment_id], query)}
        wanted[_without_seed(plan.student), plan.train_split] += len(seeds)
        present[_without_seed(plan.student), plan.train_split] += len(seeds & trained)
    return [("replicate", each, count, present[each]) for each, count in wanted.items()]


def _trainings(
    file: StudyFile,
    bench: TrainingContext,
    in_bank: Collection[str],
    plans: Sequence[TrialPlan],
    again: Sequence[Row],
    clock: Clock,
) -> list[PlannedTraining]:
    teachers = {(each, plan.train_split) for plan in plans for each in plan.teachers if isinstance(each, Recipe)}
    wanted = Counter((_without_seed(recipe), on) for recipe, on in teachers)
    key = TeacherBank(bench.tracking).key
    found = Counter((_without_seed(recipe), on) for recipe, on in teachers if key(recipe, bench.on(on)) in in_bank)
    students = Counter((plan.student, plan.train_split) for plan in plans)
    rows: list[Row] = [("teacher", each, count, found[each]) for each, count in wanted.items()]
    rows += [("student", each, count * file.seeds, 0) for each, count in students.items()]
    rows += again
    if file.specialise is not None:
        students_trained = [(each, count - present) for role, each, count, present in rows if role != "teacher"]
        rows += [
            ("by device", (file.specialise.recipe_for(student), on), count, 0)
            for (student, on), count in students_trained
            if count
        ]
    planned = []
    with progress(len(rows), "timing", "networks") as advance:
        for role, (recipe, on), count, present in rows:
            seconds = clock.seconds(recipe, bench.on(on))
            name = _kind(recipe, on)
            planned.append(PlannedTraining(name, role, count, present, recipe.optimisation.epochs, seconds))
            advance()
    order = ("teacher", "student", "replicate", "by device")
    return sorted(planned, key=lambda each: (order.index(each.role), each.name))


class Clock:
    """How long trainings take here: networks of one shape are timed once, and DIR by itself."""

    def __init__(self) -> None:
        self.paces: dict[str, Pace] = {}
        self.convolution: float | None = None

    def seconds(self, recipe: Recipe, bench: TrainingContext) -> float:
        """Of one training of a Recipe."""
        training, validation = bench.rows
        # Networks are as slow from random weights, which need no download.
        pace = self._pace(_with(recipe, {"pretrained": "none"}) if recipe.pretrained != "none" else recipe, bench)
        whole = pace.of(recipe.optimisation.epochs, len(training), len(validation), len(bench.corpus.clips))
        convolved = recipe.augmentation.dir_probability * int(bench.clips.is_reference[training].sum())
        return whole + recipe.optimisation.epochs * convolved * self._of_convolution(recipe, bench)

    def _pace(self, recipe: Recipe, bench: TrainingContext) -> Pace:
        repeated = ARCHITECTURES[recipe.arch].repeated
        layers = int(getattr(recipe.network, repeated)) if repeated else 0
        if layers <= 1:
            return self._timed(recipe, bench)
        # Without layers and with one it takes less time and memory; the whole is reckoned.
        few = 0
        try:
            first = self._timed(_with(recipe, {repeated: few}), bench, is_part=True)
        except Exception:  # somebody's network may need a layer
            few = 1
            first = self._timed(_with(recipe, {repeated: few}), bench, is_part=True)
        second = self._timed(_with(recipe, {repeated: few + 1}), bench, is_part=True)
        return first.beyond(second, layers - few)

    def _timed(self, recipe: Recipe, bench: TrainingContext, is_part: bool = False) -> Pace:
        shape = repr(recipe.network)
        if shape not in self.paces:
            plain = recipe.augmentation.model_copy(update={"dir_probability": 0.0})
            recipe = recipe.model_copy(update={"augmentation": plain})
            gc.freeze()  # to look through all that was there before takes a quarter of a second
            try:
                self.paces[shape] = time_training(recipe, bench.clips, bench.rows[0], bench.trainer, is_part=is_part)
            finally:
                gc.collect()  # else what was timed is in memory while the next network is
                gc.unfreeze()
        return self.paces[shape]

    def _of_convolution(self, recipe: Recipe, bench: TrainingContext) -> float:
        """Seconds of DIR for a clip that it convolves."""
        responses = bench.responses_for(recipe)
        if responses is None:
            return 0.0
        if self.convolution is None:
            self.convolution = time_convolution(responses.responses, bench.clips, bench.rows[0])
        return self.convolution


def _with(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The Recipe with other settings of its network."""
    return recipe.model_copy(update={"network": recipe.network.model_copy(update=settings)})


def _kind(recipe: Recipe, train_split: str) -> str:
    """A network's name without its seed, with the list that it is trained on."""
    return name_on(recipe.name.rpartition("-s")[0], train_split or None)


def _without_seed(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"seed": 0})
