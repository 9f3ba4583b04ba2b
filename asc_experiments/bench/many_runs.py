"""How long one waits for ``report``, ``status`` and ``register`` where an experiment holds thousands of runs.

A study of two trials is run in earnest, so that there are a network to register and teachers to report. Its runs are
then written again and again under new numbers, with other values: trials and their students, all worse than the best.
Where a corpus is given, trials keep what made-up students answered in its folds, as trials of a real study do.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import optuna

from asc_experiments.base.errors import AscError
from asc_experiments.base.processors import end_with_parent, processors
from asc_experiments.base.progress import hushed, progress
from asc_experiments.bench.place import Place
from asc_experiments.corpus import Corpus, ValidationSplit, split_training_fold
from asc_experiments.corpus.synth import synthesise
from asc_experiments.distill import TrainingContext
from asc_experiments.statistics import Evidence
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.open_storage import load_study, open_storage
from asc_experiments.study.storage.trial_status import ASKED
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND, NOTE, PARENT
from asc_experiments.tracking.evidence import log_evidence
from asc_experiments.tracking.trials import (
    OBJECTIVE_VALUE,
    SEED,
    SEED_KIND,
    STUDENT_SEEDS,
    TRIAL,
    TRIAL_KIND,
    finished_trials,
)

_REAL = 2
_SPLIT = ValidationSplit(fraction=0.3)
_FIRST_SEED = 1_000
_STUDY = {
    "trials": _REAL,
    "sampler": "random",
    "validation": _SPLIT.model_dump(),
    "ensemble": {"common": {"epochs": 1}, "pool": [{"arch": "cp_mobile", "base_channels": [8, 12]}]},
    "student": {"base_channels": 8, "epochs": 1},
}
_OWN_TAGS = ("mlflow.", "asc.birth", "asc.owner", "asc.kind", "asc.identity", "asc.cell")
"""What belongs to one run alone, and is not written again."""


def benchmark_many_runs(
    runs: int,
    rounds: int,
    tracking_uri: str | None,
    storage: str | None,
    seeds: int = 1,
    corpus: Path | None = None,
) -> dict[str, float]:
    """Fill an experiment with so many runs, trials and their students, and time the commands that read it.

    Args:
        runs: in the experiment.
        rounds: how often each command is timed.
        tracking_uri: a tracking server or database; a new SQLite file by default.
        storage: Optuna's database or journal; a new journal by default.
        seeds: students of each trial.
        corpus: whose test clips the students answered; by default all but the first trials keep no answers.

    Returns:
        How many runs there were; for each command the median of its seconds, the program's start included. The study is
        deleted again.

    Raises:
        AscError: if a command fails.
    """
    with tempfile.TemporaryDirectory(prefix="asc-bench-") as folder:
        place = Place(Path(folder), tracking_uri, storage, f"many-runs-{uuid4().hex[:8]}")
        try:
            trials = runs // (1 + seeds)
            fill(place, trials, seeds, corpus)
            return {"many_runs.runs": float(trials * (1 + seeds))} | time_commands(place, rounds)
        finally:
            _delete(place)


def fill(place: Place, trials: int, seeds: int = 1, corpus: Path | None = None) -> None:
    """Run the study's first trials, and write the others.

    Raises:
        AscError: if the corpus is not in order.
    """
    answers = None if corpus is None else _Answers.to(Corpus.open(corpus), seeds)
    with hushed():
        synthesise(place.root / "corpus", clips_per_scene=20, seed=0)
        file = StudyFile.parse(_STUDY | {"name": place.study, "seeds": seeds}, "benchmark")
        bench = TrainingContext.open(place.root / "corpus", place.tracking(), place.root / "cache", file.validation)
        Driver(file, bench, open_storage(place.root, place.storage)).run()
    if answers is not None:
        for number, trial in enumerate(finished_trials(place.tracking(), place.study)):
            log_evidence(place.tracking().writer(trial.run_id, trial.experiment_id), answers.of(number))
    numbers = range(_REAL, trials)
    slices = [numbers[first : first + 50] for first in range(0, len(numbers), 50)]
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(processors(), context, end_with_parent) as pool,
        progress(len(numbers), "writing", "trials") as advance,
    ):
        for each, done in [(each, pool.submit(_write, place, each, answers)) for each in slices]:
            done.result()
            for _ in each:
                advance()
    study = load_study(open_storage(place.root, place.storage), place.study)
    known = study.get_trials()[0]
    study.set_user_attr(ASKED, trials)
    study.add_trials(
        optuna.create_trial(
            params=known.params, distributions=known.distributions, value=_below(known.values[0], number)
        )
        for number in numbers
    )


def time_commands(place: Place, rounds: int) -> dict[str, float]:
    """The median of each command's seconds, the program's start included.

    Raises:
        AscError: if a command fails.
    """
    page = str(place.root / "report.html")
    commands = {
        "report": ["report", place.study],
        "report_html": ["report", place.study, "--output", page],
        "study_status": ["study", "status", place.study],
        "register": ["register", place.study, "--model", place.study, "--allow-chance"],
    }
    whole = {name: [*command, *place.options()] for name, command in commands.items()}
    whole["teacher_list"] = ["teacher", "list", *place.of_tracking()]
    return {
        f"many_runs.{name}_s": statistics.median(_seconds(command) for _ in range(rounds))
        for name, command in whole.items()
    }


def _seconds(command: Sequence[str]) -> float:
    before = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "asc_experiments", *command], capture_output=True, text=True)
    if done.returncode:
        raise AscError(f"asc {command[0]}", done.stderr.strip().splitlines()[-1], "see `asc bench many-runs --help`")
    return time.perf_counter() - before


def _write(place: Place, numbers: Sequence[int], answers: _Answers | None) -> None:
    """One of the processes: write these trials and their students as the first trial and its students are."""
    tracking = place.tracking()
    trial = finished_trials(tracking, place.study)[0]
    query = where({PARENT: trial.run_id, KIND: SEED_KIND})
    students = tracking.search([trial.experiment_id], query)
    for number in numbers:
        seeds = [_FIRST_SEED + number * len(students) + at for at in range(len(students))]
        parent = _write_run(tracking, trial, TRIAL_KIND, number, {STUDENT_SEEDS: json.dumps(seeds)})
        if answers is not None:
            log_evidence(tracking.writer(parent, trial.experiment_id), answers.of(number))
        for student, seed in zip(students, seeds, strict=True):
            _write_run(tracking, student, SEED_KIND, number, {SEED: str(seed)}, parent)


def _write_run(
    tracking: Tracking, like: RunRecord, kind: str, number: int, own: dict[str, str], parent: str | None = None
) -> str:
    chance = random.Random(number)
    metrics = {name: value * chance.uniform(0.8, 1.2) for name, value in like.metrics.items()}
    if kind == TRIAL_KIND:
        metrics[OBJECTIVE_VALUE] = _below(like.metrics[OBJECTIVE_VALUE], number)
    tags = {key: value for key, value in like.tags.items() if not key.startswith(_OWN_TAGS)}
    tags |= {TRIAL: str(number)} | own
    name = like.name if parent else f"trial {number}"
    with tracking.run(like.experiment_id, name, kind, tags, parent) as run:
        run.log(like.params, metrics, {}, like.tags.get(NOTE, ""))
        return run.run_id


@dataclass(frozen=True)
class _Answers:
    """What made-up students answer to the test clips of a corpus, and to those that are held out.

    Attributes:
        scenes: the scenes' names.
        groups: the group of each device.
        clips: of each split scene, device and place of each clip, ``(clips,)``.
        seeds: how many students there are.
    """

    scenes: tuple[str, ...]
    groups: dict[str, str]
    clips: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
    seeds: int

    @classmethod
    def to(cls, corpus: Corpus, seeds: int) -> _Answers:
        """Answers to the clips of a corpus."""
        training, validation = split_training_fold(corpus, _SPLIT)
        places = corpus.place_of
        clips = {
            split: (corpus.labels[rows], corpus.device_of[rows], places[rows])
            for split, rows in (("test", corpus.test_rows), ("validation", validation))
        }
        return cls(corpus.scenes, corpus.device_groups(training), clips, seeds)

    def of(self, number: int) -> dict[str, Evidence]:
        """Those of a trial's students by split: right in two thirds of the clips, in the first trials more often."""
        rng = np.random.default_rng(number)
        skill, found = 2.5 - 0.02 * number + rng.normal(0, 0.1), {}
        for split, (labels, devices, places) in self.clips.items():
            logits = rng.normal(size=(self.seeds, len(labels), len(self.scenes))).astype(np.float32)
            logits[:, np.arange(len(labels)), labels] += np.float32(skill)
            found[split] = Evidence.of(list(logits), labels, devices, places, self.groups, self.scenes)
        return found


def _below(value: float, number: int) -> float:
    """A trial's objective, worse than that of the trial whose network there is."""
    return 0.99 * value * random.Random(number).random()


def _delete(place: Place) -> None:
    """The study, in both stores; what was registered of it too."""
    storage, tracking = open_storage(place.root, place.storage), place.tracking()
    if place.study in optuna.get_all_study_names(storage):
        optuna.delete_study(study_name=place.study, storage=storage)
    if tracking.client.search_registered_models(f"name = '{place.study}'"):
        tracking.client.delete_registered_model(place.study)
    if tracking.has_experiment(place.study):
        tracking.client.delete_experiment(tracking.experiment(place.study))
