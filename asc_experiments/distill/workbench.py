"""The Workbench: everything a training needs besides its Recipe, opened once and shared by all trainings.

The corpus with its decoded clips, the validation split, impulse responses and the tracking server; and the one way in
which any network here is trained, evaluated and logged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import progress
from asc_experiments.corpus import Corpus, ValidationSplit, WaveformStore, prepare, split_training_fold
from asc_experiments.corpus.audio import SAMPLE_RATE
from asc_experiments.corpus.impulse_responses import ImpulseResponses, load_impulse_responses
from asc_experiments.corpus.index import REFERENCE_DEVICE
from asc_experiments.corpus.segments import Segments, find_segments
from asc_experiments.models import measure_complexity
from asc_experiments.tracking import Run, Tracking
from asc_experiments.tracking.run import Stopped
from asc_experiments.training import (
    Checkpoint,
    ClipSource,
    EpochRecord,
    EpochReport,
    Recipe,
    SceneNetwork,
    Scorecard,
    SoftTargets,
    Trainer,
    open_checkpoint,
    score,
)
from asc_experiments.training.loop import best_device, predict_logits
from asc_experiments.training.pretrained import audioset_weights

CORPUS_DIRS = "dirs"
"""A corpus may bring its own impulse responses in this folder."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A network that was just trained, and its logits on every clip of the fold by the corpus's rows."""

    network: SceneNetwork
    logits: np.ndarray


@dataclass(frozen=True, eq=False)
class Workbench:
    """See the module. Attributes are what they are called."""

    corpus: Corpus
    store: WaveformStore
    split: ValidationSplit
    tracking: Tracking
    cache: Path
    dirs: Path | None

    @classmethod
    def open(
        cls, corpus_folder: Path, tracking: Tracking, cache: Path, split: ValidationSplit, dirs: Path | None = None
    ) -> Workbench:
        """Open a corpus for training.

        Args:
            corpus_folder: in the TAU layout.
            tracking: where runs are logged.
            cache: folder of decoded waveforms and locks.
            split: what is held out for validation.
            dirs: folder of impulse responses; ``dirs`` inside the corpus by default.

        Raises:
            AscError: if the corpus, the split or the impulse responses are not in order.
        """
        corpus = Corpus.open(corpus_folder)
        split_training_fold(corpus, split)  # refuse before hours of decoding
        if dirs is None and (corpus_folder / CORPUS_DIRS).is_dir():
            dirs = corpus_folder / CORPUS_DIRS
        return cls(corpus, prepare(corpus, cache), split, tracking, cache, dirs)

    def __reduce__(self) -> tuple[Any, ...]:
        """A worker process opens the corpus by itself, once, and shares the store's memory map."""
        address = (self.corpus.root.absolute(), self.tracking, self.cache.absolute(), self.split, self.dirs)
        return _reopened, (*address, self.store.corpus_digest)

    @cached_property
    def clips(self) -> ClipSource:
        """The clips on the device that trains."""
        is_reference = self.corpus.device_of == REFERENCE_DEVICE
        return ClipSource(self.store.waveforms, self.corpus.labels, is_reference, best_device())

    @cached_property
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Training rows and validation rows."""
        return split_training_fold(self.corpus, self.split)

    @cached_property
    def untaught(self) -> frozenset[str]:
        """The clips that nothing is trained on; a teacher may do without logits for them."""
        taught = set(self.rows[0].tolist())
        return frozenset(name for row, name in enumerate(self.corpus.filenames) if row not in taught)

    @cached_property
    def device_groups(self) -> dict[str, str]:
        """The group of each device; one that is held out from training counts as unseen."""
        return self.corpus.device_groups(self.rows[0])

    @cached_property
    def responses(self) -> ImpulseResponses | None:
        """The impulse responses, where a folder of them is known."""
        return load_impulse_responses(self.dirs) if self.dirs else None

    def responses_for(self, recipe: Recipe) -> ImpulseResponses | None:
        """The impulse responses that a Recipe trains with, or None where it has no DIR.

        Raises:
            AscError: if it needs some and there are none.
        """
        if not recipe.needs_impulse_responses:
            return None
        if self.responses is None:
            raise AscError(recipe.name, "DIR needs impulse responses", "give --dirs a folder of WAV files with them")
        return self.responses

    @cached_property
    def _audioset_weights(self) -> Mapping[str, Tensor]:
        return audioset_weights(self.cache)

    def weights_for(self, recipe: Recipe) -> Mapping[str, Tensor] | None:
        """The published weights that a Recipe starts from, or None where it starts from random ones.

        Raises:
            AscError: if it needs some and they can be neither found nor downloaded.
        """
        return self._audioset_weights if recipe.pretrained != "none" else None

    def scorecards(self, logits: np.ndarray) -> dict[str, float]:
        """The test Scorecard under its plain names, and the validation Scorecard under ``validation/…``.

        A split of which a clip has no logits (its row is NaN) gets no Scorecard.

        Args:
            logits: ``(clips, scenes)`` by the corpus's rows.
        """
        metrics: dict[str, float] = {}
        test_rows, validation_rows = self.corpus.test_rows, self.rows[1]
        if not np.isnan(logits[test_rows]).any():
            metrics |= self._score(logits[test_rows], test_rows).metrics
        if len(validation_rows) and not np.isnan(logits[validation_rows]).any():
            metrics |= self._score(logits[validation_rows], validation_rows).prefixed("validation")
        return metrics

    def train(
        self,
        recipe: Recipe,
        run: Run,
        title: str,
        soft_targets: SoftTargets | None = None,
        on_validation: Callable[[int, Mapping[str, float]], None] | None = None,
        identity: str | None = None,
    ) -> Trained:
        """Train a network, logging its Recipe, complexity, data and curves into a run.

        With an identity the training goes on after the last epoch of an attempt that was killed; the run gets the
        curves of the earlier epochs too, and ``on_validation`` is called for them.

        Args:
            recipe: what to train.
            run: where curves go.
            title: what the progress bar says.
            soft_targets: makes it a distillation.
            on_validation: called after every epoch with the epoch and the validation metrics so far; may raise to stop.
            identity: a digest of everything that decides how the network comes out; None writes no checkpoints.
        """
        make = partial(self.trainer, recipe, soft_targets)
        checkpoint = self._checkpoint(recipe, run, title, identity)
        trainer, history = checkpoint.resume(make) if checkpoint else (make(), [])
        self.log_setting(run, recipe, trainer.network)

        def tell(epoch: int) -> None:
            run.metrics(history[epoch].curves, step=epoch + 1)
            if on_validation is not None and history[epoch].validation:
                on_validation(epoch, history[epoch].validation)

        for epoch in range(len(history)):
            tell(epoch)
        with progress(recipe.optimisation.epochs, title, "epochs", done=len(history)) as advance:

            def after_epoch(report: EpochReport) -> None:
                history.append(self._record(report))
                if checkpoint:
                    checkpoint.save(trainer, history)
                advance(note=f"loss {report.loss:.3f}")
                tell(report.epoch)

            network = trainer.fit(self.rows[0], after_epoch)
        every_row = np.arange(len(self.corpus.clips))
        return Trained(network, predict_logits(network, self.clips, every_row))

    def trainer(self, recipe: Recipe, soft_targets: SoftTargets | None = None) -> Trainer:
        """What trains a Recipe on this corpus, before its first epoch."""
        responses, weights = self.responses_for(recipe), self.weights_for(recipe)
        bank = responses.responses if responses else None
        segments = self._segments if recipe.augmentation.segment_crop > 0 else None
        return Trainer(recipe, self.clips, self.corpus.scenes, bank, soft_targets, weights, segments)

    @cached_property
    def _segments(self) -> Segments:
        return find_segments(self.corpus, self.rows[0])

    def log_corpus(self, run: Run) -> None:
        """Log the corpus as the run's dataset, by its own digest."""
        profile = f'{{"training_clips": {len(self.rows[0])}, "validation_clips": {len(self.rows[1])}}}'
        run.dataset(self.corpus.root.resolve().name, self.store.corpus_digest, str(self.corpus.root.resolve()), profile)

    def log_setting(self, run: Run, recipe: Recipe, network: SceneNetwork) -> None:
        """Log a Recipe, what its network costs, and the corpus as a run's setting."""
        frames = network.frontend.frames(SAMPLE_RATE)  # of one second, as the challenge counts
        complexity = measure_complexity(network.model, network.frontend.shape.mels, frames)
        run.params(recipe.flat() | {"augment": recipe.augment, "size": recipe.size})
        run.metrics({"complexity/parameters": complexity.parameters, "complexity/macs": complexity.macs})
        self.log_corpus(run)

    def _checkpoint(self, recipe: Recipe, run: Run, title: str, identity: str | None) -> Checkpoint | None:
        """The checkpoint of a training until the run has ended, or None where it has none."""
        if identity is None:
            return None
        about = {"recipe": recipe.model_dump(mode="json"), "corpus": self.store.corpus_digest}
        opened = open_checkpoint(self.cache, identity, about, title, given_up=(Stopped,))
        return run.until_ended.enter_context(opened)

    def _record(self, report: EpochReport) -> EpochRecord:
        curves = {"train/loss": report.loss, "train/learning_rate": report.learning_rate}
        validation: dict[str, float] = {}
        rows = self.rows[1]
        if len(rows):
            validation = self._score(predict_logits(report.network, self.clips, rows), rows).prefixed("validation")
        return EpochRecord(curves | {n: value for n, value in validation.items() if _is_curve(n)}, validation)

    def _score(self, logits: np.ndarray, rows: np.ndarray) -> Scorecard:
        """Score logits ``(rows, scenes)`` of these rows."""
        labels, devices = self.corpus.labels[rows], self.corpus.device_of[rows]
        return score(logits, labels, devices, self.device_groups, self.corpus.scenes)


@lru_cache(maxsize=2)
def _reopened(
    root: Path, tracking: Tracking, cache: Path, split: ValidationSplit, dirs: Path | None, digest: str
) -> Workbench:
    bench = Workbench.open(root, tracking, cache, split, dirs)
    if bench.store.corpus_digest != digest:
        raise AscError(root, "the corpus was changed while it was in use", "start again with the corpus as it is now")
    return bench


def _is_curve(name: str) -> bool:
    """Which validation metrics are worth a curve: the overall ones and those per group."""
    return "/device/" not in name and "/scene/" not in name
