"""One Recipe's work in this program and in the baseline, on the same clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from asc_experiments.augment import AugmentationContext, AugmentationSettings, Augmenter
from asc_experiments.bench.baseline import PlainClips, PlainTrainer
from asc_experiments.bench.machine import Machine, Work, at_best, frontend_work, network_work
from asc_experiments.bench.timing import Measured, compare
from asc_experiments.corpus.audio import SAMPLE_RATE
from asc_experiments.training import KL, ClipSource, Recipe, SoftTargets, Trainer
from asc_experiments.training.loop import predict_logits
from asc_experiments.training.precision import autocast, computes_in_bfloat16


@dataclass(frozen=True, eq=False)
class Materials:
    """What every workload works on.

    Attributes:
        clips: of the training fold.
        waveforms: ``(clips, samples)`` int16, the same.
        labels: ``(clips,)`` int64.
        dirs: ``(responses, samples)`` float32.
        scenes: their names.
        logits: ``(clips, scenes)`` float32, which a student learns from.
        machine: what it can do at best.
        rounds: how often each work is timed.
    """

    clips: ClipSource
    waveforms: np.ndarray
    labels: np.ndarray
    dirs: np.ndarray
    scenes: tuple[str, ...]
    logits: np.ndarray
    machine: Machine
    rounds: int


class Workload:
    """See the module.

    Args:
        materials: clips and the rest.
        recipe: what is trained.
        clips: how many of the clips are enough: a transformer takes a second for eight.
    """

    def __init__(self, materials: Materials, recipe: Recipe, clips: int | None = None) -> None:
        self.m, self.recipe = materials, recipe
        self.device = materials.clips.device
        self.rows = np.arange(len(materials.waveforms))[:clips]
        self.batch = min(recipe.optimisation.batch_size, len(self.rows))
        self.trainer = Trainer(recipe, materials.clips, materials.scenes, materials.dirs)
        self.plain = PlainTrainer(recipe, len(materials.scenes), self.device)
        self.of_frontend = frontend_work(self.trainer.network.frontend.shape, materials.clips.samples, SAMPLE_RATE)

    def frontend(self) -> Measured:
        """Log-mels of one batch in training, with another mel bank each time."""
        frontend, rows = self.trainer.network.frontend, self.rows[: self.batch]
        waveforms = self.m.clips.waveforms(rows)
        settings = AugmentationSettings(fmax_jitter=self.recipe.augmentation.fmax_jitter)
        augmenter = Augmenter(settings, self.trainer.rng, AugmentationContext(self.device))

        def ours() -> None:
            batch = augmenter.batch(rows, np.zeros(len(rows), dtype=bool), frontend.shape.fmax)
            augmenter.apply("waveforms", batch)
            frontend(waveforms, fmax=batch.fmax)

        return self._compare(
            ours,
            lambda: self.plain.log_mel(waveforms, self.recipe.augmentation.fmax_jitter),
            self.batch,
            [self.of_frontend],
        )

    def step(self) -> Measured:
        """Forward, backward and the optimiser's step on one batch of log-mels."""
        rows = self.rows[: self.batch]
        features = self.trainer.network.frontend(self.m.clips.waveforms(rows))
        labels = self.m.clips.labels(rows)
        self.trainer.network.train()
        model, optimiser = self.trainer.model, self.trainer.optimiser
        self.plain.model.train()

        def ours() -> None:
            with autocast(self.recipe, self.device, training=True):
                logits = model(features)
            loss = torch.nn.functional.cross_entropy(logits.float(), labels)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

        return self._compare(ours, lambda: self.plain.step(features, labels), self.batch, [self._of_network(True)])

    def training_epoch(self, distilled: bool = False) -> Measured:
        """An epoch with all augmentation, on labels alone or with teachers' logits too."""
        m = self.m
        targets = SoftTargets(m.logits, KL(temperature=2.0, label_weight=0.02)) if distilled else None
        trainer = Trainer(self.recipe, m.clips, m.scenes, m.dirs, targets)
        teacher = torch.from_numpy(m.logits) if distilled else None
        of = (m.waveforms[self.rows], m.labels[self.rows], m.clips.is_reference[self.rows])
        clips = PlainClips(*of, self.recipe, m.dirs)
        return self._compare(
            lambda: trainer.train_epoch(self.rows),
            lambda: self.plain.train_epoch(clips, teacher, workers=0),
            len(self.rows),
            [self.of_frontend, self._of_network(True)],
        )

    def evaluation(self) -> Measured:
        """Logits of clean clips, as a teacher's are computed once for all its students."""
        waveforms = self.m.waveforms[self.rows]
        return self._compare(
            lambda: predict_logits(self.trainer.network, self.m.clips, self.rows),
            lambda: self.plain.evaluate(waveforms, self.batch),
            len(self.rows),
            [self.of_frontend, self._of_network(False)],
        )

    def _of_network(self, training: bool) -> Work:
        network = self.trainer.network
        features = network.frontend(self.m.clips.waveforms(self.rows[:1]))
        return network_work(network.model, features, training, computes_in_bfloat16(self.recipe, self.device, training))

    def _compare(
        self, ours: Callable[[], object], plain: Callable[[], object], clips: int, works: list[Work]
    ) -> Measured:
        return compare(ours, plain, clips, self.m.rounds, self.device, at_best(works, self.m.machine))
