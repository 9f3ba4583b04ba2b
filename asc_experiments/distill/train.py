"""The one way in which any network here is trained and logged: teachers and students alike."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np

from asc_experiments.base.progress import progress
from asc_experiments.distill.keys import Conditions
from asc_experiments.distill.training_context import TrainingContext
from asc_experiments.metrics import DEVICE, SCENE, MetricKey
from asc_experiments.tracking import Run
from asc_experiments.tracking.client.run import Stopped
from asc_experiments.tracking.trials import (
    CLIP_SECONDS,
    EPOCH,
    EPOCH_SECONDS,
    MACHINE,
    NUMBER_FORMAT,
    REFERENCE_DEVICE,
    SHARED_PLACES,
    SYNTHETIC,
    TRAIN_SPLIT,
    TRAINING_CLIPS,
    TRAINING_SECONDS,
)
from asc_experiments.training import (
    Checkpoint,
    EpochRecord,
    EpochReport,
    Recipe,
    SceneNetwork,
    SoftTargets,
    open_checkpoint,
)
from asc_experiments.training.loop import best_device, predict_logits
from asc_experiments.training.machine import describe_machine
from asc_experiments.training.network import complexity_of


@dataclass(frozen=True, eq=False)
class Trained:
    """A network that was just trained, and its logits on every clip of the fold by the corpus's rows."""

    network: SceneNetwork
    logits: np.ndarray


def train_network(
    bench: TrainingContext,
    recipe: Recipe,
    run: Run,
    title: str,
    identity: str,
    soft_targets: SoftTargets | None = None,
    on_validation: Callable[[int, Mapping[str, float]], None] | None = None,
) -> Trained:
    """Train a network, logging its Recipe, complexity, data and curves into a run.

    It continues after the last epoch of an attempt that was killed; the run gets the curves of the earlier epochs too,
    and ``on_validation`` is called for them. While the tracking server is away, the training continues; at its end the
    curves are waited for.

    Args:
        bench: corpus, split, and what a Recipe may need.
        recipe: what to train.
        run: where curves go.
        title: what the progress bar says.
        identity: a digest of everything that decides how the network comes out.
        soft_targets: makes it a distillation.
        on_validation: called after every epoch with the epoch and the validation metrics so far; may raise to stop.

    Raises:
        Outage: if the tracking server is not back within the set time after the last epoch; the checkpoint is kept.
    """
    about = {"recipe": recipe.model_dump(mode="json"), "corpus": bench.store.corpus_digest}
    opened = open_checkpoint(bench.cache, identity, about, title, given_up=(Stopped,))
    checkpoint: Checkpoint | None = run.until_ended.enter_context(opened)
    make = partial(bench.trainer, recipe, soft_targets)
    trainer, history = checkpoint.resume(make) if checkpoint else (make(), [])
    log_setting(bench, run, recipe)
    log_conditions(run, bench.conditions(recipe))
    run.tags(train_split_tags(bench))

    def tell(epoch: int) -> None:
        run.curve(history[epoch].curves, epoch + 1, history[epoch].ended_ms)
        if on_validation is not None and history[epoch].validation:
            on_validation(epoch, history[epoch].validation)

    for epoch in range(len(history)):
        tell(epoch)
    began = time.perf_counter()
    with progress(recipe.optimisation.epochs, title, "epochs", done=len(history)) as advance:

        def after_epoch(report: EpochReport) -> None:
            nonlocal began
            record = _record(bench, report)
            spent = time.perf_counter() - began
            began += spent
            curves = record.curves | {EPOCH: report.epoch + 1.0, EPOCH_SECONDS: round(spent, 3)}
            history.append(replace(record, curves=curves, seconds=spent, ended_ms=int(1_000 * time.time())))
            if checkpoint:
                checkpoint.save(trainer, history)
            advance(note=f"loss {report.loss:.3f}")
            tell(report.epoch)

        network = trainer.fit(bench.rows[0], after_epoch)
    run.flush()
    run.metrics({TRAINING_SECONDS: round(sum(record.seconds for record in history), 3)})
    every_row = np.arange(len(bench.corpus.clips))
    return Trained(network, predict_logits(network, bench.clips, every_row))


def log_conditions(run: Run, conditions: Conditions) -> None:
    """Log what a training depends on, as far as no other tag says it: the numbers it computes in, DIR's device."""
    told = {NUMBER_FORMAT: conditions.number_format, REFERENCE_DEVICE: conditions.reference_device}
    run.tags({name: value for name, value in told.items() if value is not None})


def train_split_tags(bench: TrainingContext) -> dict[str, str]:
    """Which list of clips alone is trained on: its name, and the digest of what is in it unless that is all."""
    given = bench.train_split
    if given is None:
        return {}
    return {TRAIN_SPLIT: given.name} | ({} if given.digest is None else {TRAINING_CLIPS: given.digest})


def train_split_params(bench: TrainingContext) -> dict[str, object]:
    """The list of clips that alone are trained on, and how many that leaves to train on, for tables."""
    given = bench.train_split
    return {} if given is None else {"train_split": given.name, "training_clips": len(bench.rows[0])}


def log_setting(bench: TrainingContext, run: Run, recipe: Recipe) -> None:
    """Log a Recipe, what its network costs, and the corpus as a run's setting."""
    complexity = complexity_of(recipe, bench.corpus.scenes, bench.clip_samples)
    run.params(recipe.flat() | {"augment": recipe.augment, "size": recipe.size} | train_split_params(bench))
    run.metrics({f"complexity/{name}": count for name, count in asdict(complexity).items()})
    log_corpus(bench, run)


def log_corpus(bench: TrainingContext, run: Run) -> None:
    """Log the corpus as the run's dataset, by its own digest, how long its clips are, and the machine."""
    training, validation = bench.rows
    counts = {"training": len(training), "validation": len(validation), "test": len(bench.corpus.test_rows)}
    profile = json.dumps({f"{split}_clips": count for split, count in counts.items()})
    root = bench.corpus.root.resolve()
    run.dataset(root.name, bench.store.corpus_digest, str(root), profile)
    made_up = {SYNTHETIC: f"{bench.corpus.label_noise:g}"} if bench.corpus.is_synthetic else {}
    shared = bench.corpus.shared_places(np.concatenate([training, validation]))
    leak = {SHARED_PLACES: shared.to_tag()} if shared.places else {}
    clips = {CLIP_SECONDS: f"{bench.clip_seconds:g}"}
    run.tags({MACHINE: describe_machine(best_device())} | clips | made_up | leak)


def _record(bench: TrainingContext, report: EpochReport) -> EpochRecord:
    curves = {"train/loss": report.loss, "train/learning_rate": report.learning_rate}
    validation: dict[str, float] = {}
    rows = bench.rows[1]
    if len(rows):
        validation = bench.score(predict_logits(report.network, bench.clips, rows), rows).prefixed("validation")
    return EpochRecord(curves | {n: value for n, value in validation.items() if _is_curve(n)}, validation)


def _is_curve(name: str) -> bool:
    """Which validation metrics are worth a curve: the overall ones and those per group."""
    return MetricKey.parse(name).part not in (DEVICE, SCENE)
