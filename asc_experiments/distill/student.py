"""The Student: a Recipe trained against an Ensemble's logits, or on labels alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from asc_experiments.base.hashing import digest_bytes, digest_json
from asc_experiments.distill.bank import log_logits
from asc_experiments.distill.embeddings import taught_embeddings
from asc_experiments.distill.ensemble import Ensemble
from asc_experiments.distill.keys import training_identity
from asc_experiments.distill.logits import LogitTable
from asc_experiments.distill.teacher import LOGITS_DIGEST
from asc_experiments.distill.train import train_network
from asc_experiments.distill.training_context import TrainingContext
from asc_experiments.metrics import (
    ACCURACY,
    DEVICE,
    DG,
    ENSEMBLE,
    OVERALL_ACCURACY,
    TARGETS_ACCURACY,
    TARGETS_ENTROPY,
    MetricKey,
)
from asc_experiments.metrics.entropy import entropy
from asc_experiments.tracking import Run
from asc_experiments.tracking.evidence import log_evidence
from asc_experiments.tracking.registry.network_store import log_network
from asc_experiments.tracking.trials import CORPUS, HELD_OUT, LOSS_PACKAGE, MODEL_ID, RECIPE, TEACHERS
from asc_experiments.training import DistillationLoss, Recipe, SoftTargets
from asc_experiments.training.diagnostics import agreement, disagreement

ENSEMBLE_SIZE = "ensemble_size"


def train_student(
    bench: TrainingContext,
    recipe: Recipe,
    run: Run,
    targets: SoftTargets | None = None,
    on_validation: Callable[[int, Mapping[str, float]], None] | None = None,
    identity: str | None = None,
) -> dict[str, float]:
    """Train a Student and log its network, logits and Scorecards into a run.

    Args:
        bench: corpus, split and tracking server.
        recipe: the student's.
        run: where everything goes.
        targets: of its teachers, see :func:`soft_targets`; None trains on labels alone.
        on_validation: called after every epoch; may raise to stop.
        identity: its :func:`student_identity`, where it is known already.

    Returns:
        The metrics of its Scorecards.

    Raises:
        NotFiniteError: if the loss becomes infinite or not a number.
    """
    if targets is not None:
        log_loss(run, targets.loss)
    identity = identity or student_identity(bench, recipe, targets)
    trained = train_network(bench, recipe, run, f"student {recipe.name}", identity, targets, on_validation)
    model_id = log_network(run, trained.network)
    digest = log_logits(run, LogitTable(bench.corpus.filenames, trained.logits))
    log_evidence(run, bench.evidence([trained.logits]))
    metrics = bench.scorecards(trained.logits)
    if targets is not None:
        metrics |= _beside_targets(bench, trained.logits, targets)
    run.metrics(metrics, step=recipe.optimisation.epochs, model_id=model_id)
    held_out = bench.split.normalised().model_dump_json()
    made = {MODEL_ID: model_id, LOGITS_DIGEST: digest, RECIPE: recipe.model_dump_json()}
    run.tags(made | {CORPUS: bench.store.corpus_digest, HELD_OUT: held_out})
    return metrics


def soft_targets(bench: TrainingContext, ensemble: Ensemble | None, loss: DistillationLoss) -> SoftTargets | None:
    """What a Student learns from besides the labels, on every clip that is trained on.

    That is the Ensemble's logits, and its members' embeddings where the loss needs them: those are computed now unless
    they have been before.

    Raises:
        AscError: if a teacher lacks logits of a training clip, or has no embeddings.
    """
    if ensemble is None:
        return None
    logits = ensemble.logits(bench.corpus.filenames, bench.held_out_clips)
    return SoftTargets(logits, loss, taught_embeddings(bench, ensemble, loss) if loss.needs_embeddings else None)


def log_loss(run: Run, loss: DistillationLoss) -> None:
    """Log by which loss a Student learns from its teachers: its settings, and the package that it is from."""
    run.params(loss.flat())
    if loss.source is not None:
        run.tags({LOSS_PACKAGE: loss.source.requirement})


def _beside_targets(bench: TrainingContext, logits: np.ndarray, targets: SoftTargets) -> dict[str, float]:
    """How far a Student agrees with its Ensemble on the test fold, and what the Ensemble said of the training clips.

    Teachers that have memorised the training clips have targets of little entropy: those say no more than labels. It is
    told at the temperature of the loss, and at 1 where that has none.
    """
    taught, test = bench.rows[0], bench.corpus.test_rows
    said = targets.logits[taught]
    metrics = {
        TARGETS_ENTROPY: float(entropy(said, getattr(targets.loss, "temperature", 1.0)).mean()),
        TARGETS_ACCURACY: float((said.argmax(axis=1) == bench.corpus.labels[taught]).mean()),
    }
    if np.isnan(targets.logits[test]).any():  # imported logits may lack the test clips
        return metrics
    return metrics | agreement(logits[test], targets.logits[test], bench.corpus.device_of[test], bench.device_groups)


def student_identity(bench: TrainingContext, recipe: Recipe, targets: SoftTargets | None) -> str:
    """What identifies a Student's training: everything that decides how it comes out, and nothing else.

    Args:
        bench: corpus, split, and what the training depends on besides.
        recipe: the student's.
        targets: what it learns from besides the labels; its logits tell teachers and rules apart by what they give.
    """
    identity = training_identity(recipe, bench.store.corpus_digest, bench.split, bench.conditions(recipe))
    if targets is None:
        return digest_json({"student": identity})
    logits = digest_bytes(np.ascontiguousarray(targets.logits).tobytes())
    distillation = {"logits": logits} | targets.loss.identity()
    if targets.embeddings is not None:
        distillation["embeddings"] = [digest_bytes(each.tobytes()) for each in targets.embeddings.of_teachers]
    return digest_json({"student": identity, "distillation": distillation})


def log_ensemble(bench: TrainingContext, run: Run, ensemble: Ensemble) -> None:
    """Log an Ensemble into the run that learns from it: members, lineage, logits, Scorecard, a table per device."""
    teachers = ensemble.teachers
    run.params({ENSEMBLE_SIZE: len(teachers), "teachers": ensemble.name, "ensemble_rule": ensemble.rule})
    run.uses_models([teacher.model_id for teacher in teachers if teacher.model_id])
    logits = ensemble.logits(bench.corpus.filenames, bench.held_out_clips)
    log_logits(run, LogitTable(bench.corpus.filenames, logits).known(), "ensemble/logits.npz")
    metrics = bench.scorecards(logits) | _diversity(bench, ensemble)
    run.metrics({f"{ENSEMBLE}/{name}": value for name, value in metrics.items()})
    run.table(_teacher_table(ensemble, metrics), "teachers.json")
    run.tags({TEACHERS: ",".join(teacher.key for teacher in teachers)})  # last: tells that the rest is there


def _diversity(bench: TrainingContext, ensemble: Ensemble) -> dict[str, float]:
    """How often two members disagree on a test clip; nothing where there is one member, or one lacks test clips."""
    test = bench.corpus.test_rows
    names = [bench.corpus.filenames[row] for row in test]
    members = ensemble.members(names, bench.held_out_clips)
    if any(np.isnan(member).any() for member in members):
        return {}
    return disagreement(members, bench.corpus.device_of[test], bench.device_groups)


def _teacher_table(ensemble: Ensemble, ensemble_metrics: Mapping[str, float]) -> dict[str, list[object]]:
    """Accuracy in percent per device: one row per teacher, and one for the ensemble; None where it is not known."""
    rows = [(t.key, t.name, t.metrics) for t in ensemble.teachers] + [("", "ensemble", ensemble_metrics)]
    names = [OVERALL_ACCURACY, *sorted({n for r in rows for n in ACCURACY.of(DEVICE).members(r[2]).values()})]
    table: dict[str, list[object]] = {"key": [r[0] for r in rows], "teacher": [r[1] for r in rows]}
    for name in names:
        table[MetricKey.parse(name).clips.replace("/", " ")] = [_percent(r[2].get(name)) for r in rows]
    table["DG"] = [_percent(r[2].get(DG)) for r in rows]
    return table


def _percent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 2)
