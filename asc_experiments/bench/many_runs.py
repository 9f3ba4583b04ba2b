"""How long one waits for ``report``, ``status`` and ``register`` where an experiment holds thousands of runs.

A study of two trials is run in earnest, so that there are a network to register and teachers to report. Its runs are
then written again and again under new numbers, with other values: trials and their students, all worse than the best.
"""

from __future__ import annotations

import multiprocessing
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from uuid import uuid4

import optuna

from asc_experiments.base.errors import AscError
from asc_experiments.base.processors import end_with_parent, processors
from asc_experiments.base.progress import hushed, progress
from asc_experiments.bench.place import Place
from asc_experiments.corpus.synth import synthesise
from asc_experiments.distill import TrainingContext
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.open_storage import load_study, open_storage
from asc_experiments.study.storage.trial_status import ASKED
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND, NOTE, PARENT
from asc_experiments.tracking.trials import OBJECTIVE_VALUE, SEED_KIND, TRIAL, TRIAL_KIND, finished_trials

_REAL = 2
_STUDY = {
    "trials": _REAL,
    "sampler": "random",
    "validation": {"fraction": 0.3},
    "ensemble": {"common": {"epochs": 1}, "pool": [{"arch": "cp_mobile", "base_channels": [8, 12]}]},
    "student": {"base_channels": 8, "epochs": 1},
}
_OWN_TAGS = ("mlflow.", "asc.birth", "asc.owner", "asc.kind", "asc.identity", "asc.cell")
"""What belongs to one run alone, and is not written again."""


def benchmark_many_runs(runs: int, rounds: int, tracking_uri: str | None, storage: str | None) -> dict[str, float]:
    """Fill an experiment with so many runs, half of them trials, and time the commands that read it.

    Args:
        runs: in the experiment.
        rounds: how often each command is timed.
        tracking_uri: a tracking server or database; a new SQLite file by default.
        storage: Optuna's database or journal; a new journal by default.

    Returns:
        How many runs there were; for each command the median of its seconds, the program's start included. The study is
        deleted again.

    Raises:
        AscError: if a command fails.
    """
    with tempfile.TemporaryDirectory(prefix="asc-bench-") as folder:
        place = Place(Path(folder), tracking_uri, storage, f"many-runs-{uuid4().hex[:8]}")
        try:
            fill(place, runs // 2)
            return {"many_runs.runs": float(runs // 2 * 2)} | time_commands(place, rounds)
        finally:
            _delete(place)


def fill(place: Place, trials: int) -> None:
    """Run the study's first trials, and write the others."""
    with hushed():
        synthesise(place.root / "corpus", clips_per_scene=20, seed=0)
        file = StudyFile.parse(_STUDY | {"name": place.study}, "benchmark")
        bench = TrainingContext.open(place.root / "corpus", place.tracking(), place.root / "cache", file.validation)
        Driver(file, bench, open_storage(place.root, place.storage)).run()
    numbers = range(_REAL, trials)
    slices = [numbers[first : first + 50] for first in range(0, len(numbers), 50)]
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(processors(), context, end_with_parent) as pool,
        progress(len(numbers), "writing", "trials") as advance,
    ):
        for each, done in [(each, pool.submit(_write, place, each)) for each in slices]:
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


def _write(place: Place, numbers: Sequence[int]) -> None:
    """One of the processes: write these trials and their students as the first trial and its student are."""
    tracking = place.tracking()
    trial = finished_trials(tracking, place.study)[0]
    query = where({PARENT: trial.run_id, KIND: SEED_KIND})
    (student,) = tracking.search([trial.experiment_id], query)
    for number in numbers:
        parent = _write_run(tracking, trial, TRIAL_KIND, number)
        _write_run(tracking, student, SEED_KIND, number, parent)


def _write_run(tracking: Tracking, like: RunRecord, kind: str, number: int, parent: str | None = None) -> str:
    chance = random.Random(number)
    metrics = {name: value * chance.uniform(0.8, 1.2) for name, value in like.metrics.items()}
    if kind == TRIAL_KIND:
        metrics[OBJECTIVE_VALUE] = _below(like.metrics[OBJECTIVE_VALUE], number)
    tags = {key: value for key, value in like.tags.items() if not key.startswith(_OWN_TAGS)} | {TRIAL: str(number)}
    name = like.name if parent else f"trial {number}"
    with tracking.run(like.experiment_id, name, kind, tags, parent) as run:
        run.log(like.params, metrics, {}, like.tags.get(NOTE, ""))
        return run.run_id


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
