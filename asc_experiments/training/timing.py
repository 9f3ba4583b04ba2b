"""How long a training will take on this machine: a timed warm-up of a few batches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from asc_experiments.training.data import ClipSource
from asc_experiments.training.loop import Trainer, predict_logits
from asc_experiments.training.recipe import Recipe

_BATCHES = 2
_CPU_BATCH = 24
"""A processor is as fast in small batches; a GPU is timed in the Recipe's own."""


@dataclass(frozen=True)
class Pace:
    """Seconds per clip, in training and in evaluation."""

    training: float
    evaluation: float

    def of(self, epochs: int, training: int, validation: int, every: int) -> float:
        """Seconds of a whole training.

        Args:
            epochs: of the Recipe.
            training: clips per epoch.
            validation: clips scored after every epoch.
            every: clips of the fold, whose logits are kept at the end.
        """
        return epochs * (training * self.training + validation * self.evaluation) + every * self.evaluation


def spread(rows: np.ndarray, count: int) -> np.ndarray:
    """So many of these rows, evenly spread over all of them.

    The first rows of TAU22's training fold are of the reference device, which alone DIR is for: timed on them, a
    training with DIR seems to convolve every clip.
    """
    if count >= len(rows):
        return rows
    return np.asarray(rows[np.linspace(0, len(rows) - 1, count).round().astype(np.int64)])


def time_training(recipe: Recipe, clips: ClipSource, rows: np.ndarray, make: Callable[[Recipe], Trainer]) -> Pace:
    """Train on a few clips for two epochs, and time the second.

    Args:
        recipe: what is to be trained; its batches are cut to a size that is quick to time.
        clips: the corpus's clips.
        rows: rows to train on.
        make: makes a Trainer of a Recipe.
    """
    size = recipe.optimisation.batch_size
    if clips.device.type == "cpu":
        size = min(_CPU_BATCH, size)
    some = spread(rows, _BATCHES * size)
    short = recipe.optimisation.model_copy(update={"epochs": 2, "batch_size": size})
    trainer = make(recipe.model_copy(update={"optimisation": short}))
    ends: list[float] = []
    network = trainer.fit(some, lambda report: ends.append(time.perf_counter()))
    predict_logits(network, clips, some[:size])
    before = time.perf_counter()
    predict_logits(network, clips, some)
    return Pace((ends[1] - ends[0]) / len(some), (time.perf_counter() - before) / len(some))
