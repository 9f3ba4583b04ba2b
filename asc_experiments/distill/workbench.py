"""The Workbench: everything a training needs besides its Recipe, opened once and shared by all trainings.

The corpus with its decoded clips, the validation split, impulse responses and the tracking server; and the one way in
which any network here is trained, evaluated and logged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import progress
from asc_experiments.corpus import Corpus, ValidationSplit, WaveformStore, prepare, split_training_fold
from asc_experiments.corpus.audio import SAMPLE_RATE
from asc_experiments.corpus.impulse_responses import ImpulseResponses, load_impulse_responses
from asc_experiments.corpus.index import REFERENCE_DEVICE
from asc_experiments.models import measure_complexity
from asc_experiments.tracking import Run, Tracking
from asc_experiments.training import (
    ClipSource,
    EpochReport,
    Recipe,
    SceneNetwork,
    Scorecard,
    SoftTargets,
    Trainer,
    score,
)
from asc_experiments.training.loop import best_device, predict_logits

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

    def scorecards(self, logits: np.ndarray) -> dict[str, float]:
        """The test Scorecard under its plain names, and the validation Scorecard under ``validation/…``.

        Args:
            logits: ``(clips, scenes)`` by the corpus's rows.
        """
        test_rows, validation_rows = self.corpus.test_rows, self.rows[1]
        metrics = dict(self._score(logits[test_rows], test_rows).metrics)
        if len(validation_rows):
            metrics |= self._score(logits[validation_rows], validation_rows).prefixed("validation")
        return metrics

    def train(
        self,
        recipe: Recipe,
        run: Run,
        title: str,
        soft_targets: SoftTargets | None = None,
        on_validation: Callable[[int, Mapping[str, float]], None] | None = None,
    ) -> Trained:
        """Train a network, logging its Recipe, complexity, data and curves into a run.

        Args:
            recipe: what to train.
            run: where curves go.
            title: what the progress bar says.
            soft_targets: makes it a distillation.
            on_validation: called after every epoch with the epoch and the validation metrics so far; may raise to stop.
        """
        responses = self.responses_for(recipe)
        train_rows, validation_rows = self.rows
        trainer = Trainer(
            recipe, self.clips, self.corpus.scenes, responses.responses if responses else None, soft_targets
        )
        self._log_setting(run, recipe, trainer.network)
        with progress(recipe.optimisation.epochs, title, "epochs") as advance:

            def after_epoch(report: EpochReport) -> None:
                curves = {"train/loss": report.loss, "train/learning_rate": report.learning_rate}
                validation: dict[str, float] = {}
                if len(validation_rows):
                    logits = predict_logits(report.network, self.clips, validation_rows)
                    validation = self._score(logits, validation_rows).prefixed("validation")
                curves |= {name: value for name, value in validation.items() if _is_curve(name)}
                run.metrics(curves, step=report.epoch + 1)
                advance(note=f"loss {report.loss:.3f}")
                if on_validation is not None and validation:
                    on_validation(report.epoch, validation)

            network = trainer.fit(train_rows, after_epoch)
        every_row = np.arange(len(self.corpus.clips))
        return Trained(network, predict_logits(network, self.clips, every_row))

    def log_corpus(self, run: Run) -> None:
        """Log the corpus as the run's dataset, by its own digest."""
        profile = f'{{"training_clips": {len(self.rows[0])}, "validation_clips": {len(self.rows[1])}}}'
        run.dataset(self.corpus.root.resolve().name, self.store.corpus_digest, str(self.corpus.root.resolve()), profile)

    def _log_setting(self, run: Run, recipe: Recipe, network: SceneNetwork) -> None:
        frames = network.frontend.frames(SAMPLE_RATE)  # of one second, as the challenge counts
        complexity = measure_complexity(network.model, network.frontend.shape.mels, frames)
        run.params(recipe.flat() | {"augment": recipe.augment, "size": recipe.size})
        run.metrics({"complexity/parameters": complexity.parameters, "complexity/macs": complexity.macs})
        self.log_corpus(run)

    def _score(self, logits: np.ndarray, rows: np.ndarray) -> Scorecard:
        """Score logits ``(rows, scenes)`` of these rows."""
        labels, devices = self.corpus.labels[rows], self.corpus.device_of[rows]
        return score(logits, labels, devices, self.device_groups, self.corpus.scenes)


def _is_curve(name: str) -> bool:
    """Which validation metrics are worth a curve: the overall ones and those per group."""
    return "/device/" not in name and "/scene/" not in name
