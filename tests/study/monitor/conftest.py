"""Students that answer at once, with curves, and the pace of networks that are never timed."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill import LogitTable, TrainingContext
from asc_experiments.distill.bank import log_logits
from asc_experiments.study.definition.study_file import StudyFile
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.tracking import Run, Tracking
from asc_experiments.tracking.evidence import log_evidence
from asc_experiments.tracking.trials import CORPUS, HELD_OUT, MODEL_ID
from asc_experiments.training import Recipe, SoftTargets
from asc_experiments.training.timing import Pace

CURVE = "validation/accuracy/macro"


@pytest.fixture
def quick_pace(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every network takes a second per clip of training; the names of those that were timed."""
    timed: list[str] = []

    def pace(recipe: Recipe, *_: object, **__: object) -> Pace:
        timed.append(recipe.name)
        return Pace(1.0, 0.0)

    monkeypatch.setattr("asc_experiments.study.monitor.cost_estimate.time_training", pace)
    monkeypatch.setattr("asc_experiments.study.monitor.cost_estimate.time_convolution", lambda *_: 0.0)
    return timed


RATES = (0.3, 0.4, 0.5, 0.6, 0.7)
EARLIER: dict[str, Any] = {
    "name": "earlier",
    "sampler": "grid",
    "seeds": 3,
    "validation": {"fraction": 0.3},
    "ensemble": {"size": 0, "pool": [{"arch": "cp_mobile", "base_channels": 8}]},
    "student": {"base_channels": 8, "epochs": 4, "augment": "none", "learning_rate": list(RATES)},
}
"""Five trials of three students each, whose learning rate is the part of the clips that they answer right."""


Curved = Callable[[float, int], float]
"""What a student's curve is at an epoch, by its learning rate."""


def run_quickly(
    file: StudyFile, bench: TrainingContext, workspace: Path, curve: Curved | None, patch: pytest.MonkeyPatch
) -> None:
    """Run a study in no time: students answer as many clips right as their learning rate says, and all else is real.

    Args:
        file: the study.
        bench: its corpus and tracking server.
        workspace: where Optuna keeps it.
        curve: what is logged of every epoch but the last; None logs no curve.
        patch: for as long as the study runs.
    """

    def train(
        bench: TrainingContext,
        recipe: Recipe,
        run: Run,
        targets: SoftTargets | None = None,
        on_validation: Callable[[int, Mapping[str, float]], None] | None = None,
        identity: str | None = None,
    ) -> dict[str, float]:
        rate, rng = recipe.optimisation.learning_rate, np.random.default_rng(recipe.seed)
        labels, scenes = bench.corpus.labels, len(bench.corpus.scenes)
        said = np.where(rng.random(len(labels)) < rate, labels, (labels + 1) % scenes)
        logits = 3 * np.eye(scenes, dtype=np.float32)[said]
        log_logits(run, LogitTable(bench.corpus.filenames, logits))
        log_evidence(run, bench.evidence([logits]))
        metrics = bench.scorecards(logits)
        for epoch in range(1, recipe.optimisation.epochs if curve else 1):
            run.metrics({CURVE: curve(rate, epoch)}, step=epoch)  # type: ignore[misc]
        run.metrics(metrics, step=recipe.optimisation.epochs)
        split = bench.split.normalised().model_dump_json()
        run.tags({MODEL_ID: f"m-{recipe.seed}", CORPUS: bench.store.corpus_digest, HELD_OUT: split})
        return metrics

    patch.setattr("asc_experiments.study.executors.jobs.train_student", train)
    patch.setattr("asc_experiments.distill.known_students.has_network", lambda *_: True)  # none is stored
    patch.setattr("asc_experiments.study.runner.trial_result.log_figures", lambda *_: None)  # they take seconds
    Driver(file, bench, open_storage(workspace, None)).run()


def half_there(rate: float, epoch: int) -> float:
    """A curve that keeps the order of rates, half as high after four epochs as the rate."""
    return rate * epoch / 8


@pytest.fixture(scope="session")
def _earlier(synth_corpus: Path, cache: Path, new_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the finished study ``earlier``. Not to be changed."""
    workspace = tmp_path_factory.mktemp("earlier")
    (workspace / "mlruns").mkdir()
    shutil.copy(new_database, workspace / "mlruns")
    file = StudyFile.parse(EARLIER, "earlier.yaml")
    bench = TrainingContext.open(synth_corpus, Tracking.open(workspace), cache, file.validation)
    with pytest.MonkeyPatch.context() as patch:
        run_quickly(file, bench, workspace, half_there, patch)
    return workspace


@pytest.fixture
def earlier(_earlier: Path, synth_corpus: Path, cache: Path) -> TrainingContext:
    """The corpus with the workspace of the earlier study, which is only read."""
    return TrainingContext.open(synth_corpus, Tracking.open(_earlier), cache, ValidationSplit(fraction=0.3))


@pytest.fixture
def run_another(
    open_bench: Callable[..., TrainingContext], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., TrainingContext]:
    """Run a study like the earlier one, of two trials and with some keys replaced, in a workspace of the test's own."""

    def run(curve: Curved | None = half_there, rates: Sequence[float] = RATES[:2], epochs: int = 4, **keys: Any) -> Any:
        student = EARLIER["student"] | {"learning_rate": list(rates), "epochs": epochs}
        file = StudyFile.parse(EARLIER | {"student": student} | keys, "earlier.yaml")
        bench = open_bench(file.validation)
        run_quickly(file, bench, workspace, curve, monkeypatch)
        return bench

    return run
