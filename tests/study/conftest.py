"""A driver of the tiny study, on a workspace of its own, and trainings that are answered at once."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from asc_experiments.distill import LogitTable, TrainingContext
from asc_experiments.distill.bank import log_logits
from asc_experiments.metrics import metric_names
from asc_experiments.study.definition.study_file import read_study
from asc_experiments.study.executors.jobs import SeedJob, SeedResult
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.tracking import Run
from asc_experiments.tracking.trials import MODEL_ID
from asc_experiments.training import Recipe, SoftTargets
from asc_experiments.training.network import complexity_of


@pytest.fixture
def driver(
    open_bench: Callable[..., TrainingContext], study_file: Callable[..., Path], workspace: Path
) -> Callable[..., Driver]:
    def make(overrides: dict[str, object] | None = None, **replaced: str) -> Driver:
        study = read_study(study_file(**replaced), overrides)
        return Driver(study, open_bench(study.validation), open_storage(workspace, None))

    return make


@dataclass
class Answers:
    """What a study had done, in this order, instead of trainings."""

    teachers: list[Recipe] = field(default_factory=list)
    students: list[SeedJob] = field(default_factory=list)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Teachers and students are answered for at once, with made-up scores and their own complexity."""
    asked = Answers()

    def teacher(bench: TrainingContext, recipe: Recipe) -> str:
        asked.teachers.append(recipe)
        return f"{len(asked.teachers):016x}"

    def student(bench: TrainingContext, job: SeedJob) -> SeedResult:
        asked.students.append(job)
        groups = list(bench.device_groups.values())
        names = metric_names(bench.corpus.devices, groups, bench.corpus.scenes)
        parts = (job.student.model_dump_json(), job.distillation.model_dump_json())
        chance = random.Random(f"{job.teachers} {job.rule} {' '.join(parts)}")
        scores = {f"{prefix}{name}": chance.uniform(0.3, 0.9) for prefix in ("", "validation/") for name in names}
        complexity = complexity_of(job.student, bench.corpus.scenes)
        costs = {"complexity/macs": float(complexity.macs), "complexity/parameters": float(complexity.parameters)}
        return SeedResult(job.parent, "m-0", job.student.seed, scores | costs)

    monkeypatch.setattr(
        "asc_experiments.study.runner.trial_result._log_answers", lambda *_: None
    )  # there are no logits
    monkeypatch.setattr("asc_experiments.study.runner.trial_runner.train_teacher", teacher)
    monkeypatch.setattr("asc_experiments.study.runner.trial_runner.train_seed", student)
    return asked


@dataclass
class QuickStudents:
    """Students that were trained at once, by their learning rate and seed; what to do before one is."""

    trained: list[tuple[float, int]] = field(default_factory=list)
    before: Callable[[Recipe], None] = lambda recipe: None


@pytest.fixture
def quick_students(monkeypatch: pytest.MonkeyPatch) -> QuickStudents:
    """Students answer at random instead of being trained, and right with the probability of their learning rate.

    Everything else about them is real: their runs, logits, Scorecards.
    """
    quick = QuickStudents()

    def train(
        bench: TrainingContext,
        recipe: Recipe,
        run: Run,
        targets: SoftTargets | None = None,
        on_validation: Callable[[int, Mapping[str, float]], None] | None = None,
        identity: str | None = None,
    ) -> dict[str, float]:
        rate = recipe.optimisation.learning_rate
        quick.before(recipe)
        quick.trained.append((rate, recipe.seed))
        rng = np.random.default_rng([recipe.seed, round(1e6 * rate)])
        labels, n_scenes = bench.corpus.labels, len(bench.corpus.scenes)
        said = np.where(rng.random(len(labels)) < rate, labels, (labels + 1) % n_scenes)
        logits = 3 * np.eye(n_scenes, dtype=np.float32)[said]
        log_logits(run, LogitTable(bench.corpus.filenames, logits))
        metrics = bench.scorecards(logits)
        run.metrics(metrics)
        run.tags({MODEL_ID: f"m-{rate}-{recipe.seed}"})
        return metrics

    monkeypatch.setattr("asc_experiments.study.executors.jobs.train_student", train)
    monkeypatch.setattr("asc_experiments.distill.known_students.has_network", lambda *_: True)  # none is stored
    return quick
