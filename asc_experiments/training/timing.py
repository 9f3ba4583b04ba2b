"""How long a training will take on this machine: a timed warm-up of a few clips."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from asc_experiments.augment.impulse_response import DeviceImpulseResponses
from asc_experiments.training.data import ClipSource
from asc_experiments.training.loop import Trainer, evaluated_at_a_time, predictor
from asc_experiments.training.network import SceneNetwork
from asc_experiments.training.recipe import Recipe

_FEW_CLIPS, _BATCHES, _CONVOLVED = 8, 2, 32
_CPU_BATCH = 24
"""A processor is as fast in small batches; a GPU is timed in the Recipe's own."""
_ENOUGH_S = 0.25
_SLOW_S = 0.15
"""A network that takes longer for a few clips is timed on these alone: more take seconds, and gigabytes of memory."""
_PATIENCE_S = 2.0
"""One whose evaluation would take a thread longer for one batch is timed on a few clips, on one thread."""


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

    def beyond(self, other: Pace, times: float) -> Pace:
        """This one, and so many times what another takes longer."""
        training = self.training + times * max(0.0, other.training - self.training)
        return Pace(training, self.evaluation + times * max(0.0, other.evaluation - self.evaluation))


def spread(rows: np.ndarray, count: int) -> np.ndarray:
    """So many of these rows, evenly spread over all of them.

    The first rows of TAU22's training fold are of the reference device, which alone DIR is for: timed on them, a
    training with DIR seems to convolve every clip.
    """
    if count >= len(rows):
        return rows
    return np.asarray(rows[np.linspace(0, len(rows) - 1, count).round().astype(np.int64)])


def time_training(
    recipe: Recipe, clips: ClipSource, rows: np.ndarray, make: Callable[[Recipe], Trainer], *, is_part: bool = False
) -> Pace:
    """Train on a few clips several times, and on more of them where that is quick.

    Args:
        recipe: what is to be trained; its batches are cut to a size that is quick to time.
        clips: the corpus's clips.
        rows: rows to train on.
        make: makes a Trainer of a Recipe.
        is_part: whether it is a few layers of a network: they are timed on as many clips however many there are.
    """
    on_cpu = clips.device.type == "cpu"
    size = min(_CPU_BATCH, recipe.optimisation.batch_size) if on_cpu else recipe.optimisation.batch_size
    trainer = make(
        recipe.model_copy(update={"optimisation": recipe.optimisation.model_copy(update={"batch_size": size})})
    )
    if on_cpu:
        trainer.optimiser = _StandsStill(trainer.network.model.parameters())
    some = spread(rows, _FEW_CLIPS if on_cpu else _BATCHES * size)
    training = _seconds(lambda: trainer.train_epoch(some), clips.device)
    if on_cpu and not is_part and training < _SLOW_S and len(rows) > _FEW_CLIPS:
        some = spread(rows, size)
        training = _seconds(lambda: trainer.train_epoch(some), clips.device)
    return Pace(training / len(some), _evaluation(trainer.network, clips, rows))


def _evaluation(network: SceneNetwork, clips: ClipSource, rows: np.ndarray) -> float:
    """Seconds per clip of an evaluation in which every thread has clips, which takes a batch for each of them.

    Making the network ready is left out: it is done once for all clips.
    """
    predict, size = predictor(network, clips), evaluated_at_a_time(network, clips)
    on_cpu = clips.device.type == "cpu"
    threads = torch.get_num_threads() if on_cpu else 1
    if on_cpu:
        few = spread(rows, min(size, _FEW_CLIPS))
        began = time.perf_counter()
        predict(few)
        at_first = (time.perf_counter() - began) / len(few)
        if at_first * size > _PATIENCE_S or len(rows) < threads * size:
            return _seconds(lambda: predict(few), clips.device) / len(few) / threads
    some = spread(rows, threads * size)
    return _seconds(lambda: predict(some), clips.device) / len(some)


def time_convolution(responses: np.ndarray, clips: ClipSource, rows: np.ndarray) -> float:
    """Seconds that DIR takes for each clip that it convolves.

    Args:
        responses: ``(responses, samples)`` float32.
        clips: the corpus's clips.
        rows: rows to train on.
    """
    bank = DeviceImpulseResponses(responses, clips.samples).to(clips.device)
    waveforms = clips.waveforms(spread(rows, _CONVOLVED))
    choice = torch.arange(len(waveforms), device=clips.device) % len(bank)
    return _seconds(lambda: bank(waveforms, choice), clips.device) / len(waveforms)


class _StandsStill(torch.optim.Optimizer):
    """An optimiser that leaves the weights as they are, and remembers nothing of them.

    A step takes as long after a few clips as after a whole batch: timed on few, it would count ten times; and with what
    Adam remembers, a large network takes twice the memory.
    """

    def __init__(self, weights: Iterable[torch.nn.Parameter]) -> None:  # nothing of the one above it is needed
        self.param_groups = [{"params": list(weights)}]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for weight in self.param_groups[0]["params"]:
            weight.grad = None

    def step(self, closure: object = None) -> None:  # type: ignore[override]
        """Do nothing."""


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that a piece of work takes: the median of up to three times, after one that does not count.

    The longer it takes, the less it varies: no further one is begun after a quarter of a second.
    """
    times: list[float] = []
    while len(times) < 2 or (len(times) < 4 and sum(times[1:]) < _ENOUGH_S):
        before = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - before)
    return statistics.median(times[1:])
