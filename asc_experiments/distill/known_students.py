"""Students found again by their key, in the whole tracking server: no student is trained twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from asc_experiments.base.errors import AscError
from asc_experiments.base.hashing import digest_file
from asc_experiments.base.outage import Outage
from asc_experiments.distill.logits import LogitTable
from asc_experiments.distill.teacher import LOGITS, LOGITS_DIGEST
from asc_experiments.distill.train import log_corpus
from asc_experiments.distill.training_context import TrainingContext
from asc_experiments.metrics import ENSEMBLE, METRICS, MetricKey
from asc_experiments.tracking import Run, RunRecord, Tracking
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.registry.network_store import has_network
from asc_experiments.tracking.trials import (
    CORPUS,
    DEVICES,
    GENERAL_RUN,
    HELD_OUT,
    IDENTITY,
    MACHINE,
    MODEL_ID,
    ORIGINAL,
    RECIPE,
    SEED,
    SHARED_PLACES,
    SYNTHETIC,
    TRAIN_SPLIT,
    TRAINING_CLIPS,
    TRAINING_SECONDS,
)

_COPIED_TAGS = (
    MODEL_ID, RECIPE, CORPUS, HELD_OUT, SEED, MACHINE, IDENTITY, LOGITS_DIGEST, TRAIN_SPLIT, TRAINING_CLIPS, SYNTHETIC,
    SHARED_PLACES, GENERAL_RUN, DEVICES,
)  # fmt: skip
_NO_SCORES = ("train/", "time/", f"{ENSEMBLE}/", "export/")
"""What metrics begin with that are no scores of the student: its training's, its teachers', its exported files'."""


def student_lock(key: str) -> str:
    """The name of the lock under which the student of this key is trained."""
    return f"student-{key}"


def find_student(tracking: Tracking, key: str) -> RunRecord | None:
    """The run that trained the student with exactly this key, of any study or none; the oldest of several.

    One whose network or logits are gone, or damaged, is not found: it is trained again.
    """
    query = where({IDENTITY: key}, status="FINISHED")
    records = tracking.search(list(tracking.experiments()), query)
    return next((record for record in records if ORIGINAL not in record.tags and is_whole(tracking, record)), None)


def is_whole(tracking: Tracking, student: RunRecord) -> bool:
    """Whether a student's network and logits are there, and the logits those that were written.

    Raises:
        Outage: if the tracking server does not answer.
    """
    if MODEL_ID not in student.tags or not has_network(tracking, student.tags[MODEL_ID]):
        return False
    try:
        with tracking.artifacts(student.run_id, LOGITS) as path:
            if LOGITS_DIGEST in student.tags:
                return digest_file(path) == student.tags[LOGITS_DIGEST]
            return bool(len(LogitTable.load(path).values))
    except Outage:
        raise
    except AscError:
        return False


def scores_of(student: RunRecord) -> dict[str, float]:
    """A student's own scores and complexity, without how long its training took."""
    return {name: value for name, value in student.metrics.items() if not name.startswith(_NO_SCORES)}


def with_further_scores(bench: TrainingContext, student: RunRecord) -> RunRecord:
    """A student that was found, with the metrics of packages that were installed after it was scored.

    They are measured from its logits, and logged into its run too.

    Args:
        bench: the corpus and split that it was trained on.
        student: the run that trained it; whole.
    """
    outside = [metric for metric in METRICS.values() if metric.source is not None]
    if all(str(metric.key) in student.metrics for metric in outside):
        return student
    with bench.tracking.artifacts(student.run_id, LOGITS) as path:
        logits = LogitTable.load(path).of(bench.corpus.filenames, f"run {student.run_id}")
    names = {metric.name for metric in outside}
    measured = {name: value for name, value in bench.scorecards(logits).items() if MetricKey.parse(name).name in names}
    bench.tracking.writer(student.run_id, student.experiment_id).metrics(measured)
    return replace(student, metrics={**student.metrics, **measured})


def log_found(bench: TrainingContext, run: Run, student: RunRecord) -> dict[str, float]:
    """Log a student that was found into another run: scores, Recipe, corpus and network, not its files.

    Args:
        bench: the corpus and split that it was trained on.
        run: the other run; :data:`ORIGINAL` says which one has the network and the logits.
        student: the run that trained it.

    Returns:
        Its metrics there: the time of its training is none.
    """
    log_corpus(bench, run)
    run.params(student.params)
    metrics = scores_of(student) | {TRAINING_SECONDS: 0.0}
    run.metrics(metrics)
    run.tags({ORIGINAL: student.run_id} | _copied(student.tags))
    return metrics


def _copied(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: tags[key] for key in _COPIED_TAGS if key in tags}
