"""The training loop: one code path for teachers and students, for the CPU and a GPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from asc_experiments.augment import AugmentationContext, Augmenter, DeviceImpulseResponses
from asc_experiments.augment.settings import switched_on
from asc_experiments.base.errors import AscError, NotFiniteError
from asc_experiments.corpus.audio import SAMPLE_RATE
from asc_experiments.corpus.segments import Segments
from asc_experiments.models import ARCHITECTURES
from asc_experiments.models.threads import for_each
from asc_experiments.training.data import ClipSource
from asc_experiments.training.embedding import head_of, hearing
from asc_experiments.training.fused import fuse
from asc_experiments.training.losses import label_loss
from asc_experiments.training.lowering import lowered
from asc_experiments.training.memory import within_memory
from asc_experiments.training.network import SceneNetwork
from asc_experiments.training.precision import autocast, computes_in_bfloat16
from asc_experiments.training.pretrained import start_from
from asc_experiments.training.recipe import Recipe
from asc_experiments.training.schedule import cosine_factor, learning_rate_factor
from asc_experiments.training.teaching import SoftTargets, Teaching

_GPU_CLIPS = 512
"""Clips of a second at a time in evaluation on a GPU; on a CPU an architecture says how many, per thread."""


def check_learns_from_logits(recipe: Recipe) -> None:
    """Refuse a student whose clips would no longer be those that its teachers' logits belong to.

    Raises:
        AscError: if the Recipe crops segments, or has another augmentation that does not keep clips.
    """
    for each in switched_on(recipe.augmentation):
        if not each.keeps_clips:
            where, remedy = f"student {recipe.name} {each.name}", f"set {each.switch()} to {each.off()}"
            raise AscError(where, "needs labels only: teachers' logits belong to whole clips", remedy)


@dataclass(frozen=True)
class EpochReport:
    """What happened in one epoch (counted from 0), and the network as it is after it."""

    epoch: int
    loss: float
    learning_rate: float
    network: SceneNetwork


class Trainer:
    """Trains one Recipe.

    The same seed, clips and number of threads give the same network bit for bit on the CPU.

    Args:
        recipe: what to train and how.
        clips: the corpus's clips.
        scenes: the scenes' names, in the order of the logits.
        responses: ``(responses, samples)`` float32 at 32 kHz, for a Recipe with DIR.
        soft_targets: makes it a distillation.
        weights: published ones, by the names of their tensors, for a Recipe that starts from them.
        segments: the recordings that the training clips were cut from, for a Recipe that crops them anew.
        start: the weights of a network of the same shape to fine-tune; published ones are then not needed.

    Raises:
        AscError: if the Recipe crops and there are soft targets, or their loss needs embeddings of a network that has
            none.
    """

    def __init__(
        self,
        recipe: Recipe,
        clips: ClipSource,
        scenes: tuple[str, ...],
        responses: np.ndarray | None = None,
        soft_targets: SoftTargets | None = None,
        weights: Mapping[str, Tensor] | None = None,
        segments: Segments | None = None,
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        if soft_targets is not None:
            check_learns_from_logits(recipe)
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.clips = clips
        self.rng = np.random.default_rng(recipe.seed)
        self.network = SceneNetwork(recipe, scenes, clips.samples).to(clips.device)
        if start is not None:
            self.network.model.load_state_dict(start)
        elif recipe.pretrained != "none":
            if weights is None:
                raise ValueError(f"pretrained {recipe.pretrained} needs weights")
            start_from(self.network.model, weights)
        bank = None
        if recipe.needs_impulse_responses and responses is not None:
            bank = DeviceImpulseResponses(responses, clips.samples).to(clips.device)
        context = AugmentationContext(clips.device, clips.samples, self.network.frontend.shape.masked, bank, segments)
        self.augmenter = Augmenter(recipe.augmentation, self.rng, context)
        self.teaching: Teaching | None = None
        if soft_targets is not None:
            self.teaching = Teaching(soft_targets, self.network, clips.device, clips.samples)
        self.model = self._fused()
        self.epochs_done = 0

    @cached_property
    def optimiser(self) -> torch.optim.Optimizer:
        """What changes the weights. Made when it is first wanted: with PyTorch's come its compiler and 75 MB."""
        optimisation = self.recipe.optimisation
        kind = torch.optim.AdamW if optimisation.optimiser == "adamw" else torch.optim.Adam
        return kind(
            [*self.network.model.parameters(), *self.heads.parameters()],
            lr=optimisation.learning_rate,
            weight_decay=optimisation.weight_decay,
            fused=True,
        )

    def train_instead(self, model: nn.Module) -> None:
        """Train another model in the network's place from now on; its optimiser is up to the caller."""
        self.network.model = model
        self.model = self._fused()

    def _fused(self) -> nn.Module:
        return fuse(self.network.model, "" if self.teaching is None else self.teaching.head)

    @property
    def heads(self) -> nn.Module:
        """What is trained beside the network for its distillation loss, and thrown away; empty where there is none."""
        return nn.Module() if self.teaching is None else self.teaching.heads

    def fit(self, rows: np.ndarray, on_epoch: Callable[[EpochReport], None] | None = None) -> SceneNetwork:
        """Train on the clips of these rows for the Recipe's epochs that are not done yet.

        Args:
            rows: ``(clips,)`` int64 rows of the corpus.
            on_epoch: called after every epoch; may raise to stop.

        Returns:
            The network as it is after the last epoch, in evaluation mode.

        Raises:
            NotFiniteError: if the loss becomes infinite or not a number.
            AscError: if a batch does not fit into the GPU's memory.
        """
        for epoch in range(self.epochs_done, self.recipe.optimisation.epochs):
            rate = self._set_learning_rate(epoch)
            with within_memory(self.recipe.name):
                loss = self.train_epoch(rows)
            if not math.isfinite(loss):
                raise NotFiniteError(
                    self.recipe.name, f"the loss became {loss} in epoch {epoch + 1}", "lower the learning_rate"
                )
            self.epochs_done = epoch + 1
            if on_epoch is not None:
                on_epoch(EpochReport(epoch, loss, rate, self.network))
        return self.network.eval()

    def _set_learning_rate(self, epoch: int, done: float = 0.0) -> float:
        """Set the learning rate of an epoch, of which a part may be done already; the rate."""
        o = self.recipe.optimisation
        lengths = o.warmup_epochs, o.rampdown_start, o.rampdown_epochs, o.last_factor
        is_cosine = o.schedule == "cosine"
        factor = cosine_factor(epoch + done, *lengths) if is_cosine else learning_rate_factor(epoch, *lengths)
        for group in self.optimiser.param_groups:
            group["lr"] = o.learning_rate * factor
        return o.learning_rate * factor

    def train_epoch(self, rows: np.ndarray) -> float:
        """One pass over the rows in random order; the mean loss per clip."""
        self.network.train()
        order = self.rng.permutation(rows)
        total = torch.zeros((), device=self.clips.device)
        size = self.recipe.optimisation.batch_size
        for first in range(0, len(order), size):
            batch = order[first : first + size]
            if self.recipe.optimisation.schedule == "cosine":
                self._set_learning_rate(self.epochs_done, first / len(order))
            loss = self._step(batch)
            total += loss * len(batch)
        return float(total) / len(order)

    def _step(self, rows: np.ndarray) -> Tensor:
        frontend, augmenter = self.network.frontend, self.augmenter
        with torch.no_grad():
            batch = augmenter.batch(rows, self.clips.is_reference[rows], frontend.shape.fmax)
            augmenter.apply("clips", batch)
            batch.waveforms = self.clips.windows(*batch.windows) if batch.windows else self.clips.waveforms(rows)
            augmenter.apply("waveforms", batch)
            batch.features = frontend(batch.waveforms, fmax=batch.fmax)
            augmenter.apply("features", batch)
            augmenter.apply("mixing", batch)
        with autocast(self.recipe, self.clips.device, training=True):
            logits, embeddings = self._forward(batch.features)
        loss = self._loss(logits.float(), embeddings, rows, batch.mixture)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return loss.detach()

    def _forward(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        if self.teaching is None:
            return self.model(features), None
        return self.teaching.forward(self.model, features)

    def _loss(
        self, logits: Tensor, embeddings: Tensor | None, rows: np.ndarray, mixture: tuple[Tensor, Tensor] | None
    ) -> Tensor:
        labels, teaching = self.clips.labels(rows), self.teaching
        batch = None if teaching is None else teaching.batch(logits, embeddings, labels, rows)

        def against(partner: Tensor | None = None) -> Tensor:
            """By its own targets, or by those of the clips that were mixed in."""
            if teaching is None or batch is None:
                return label_loss(logits, labels if partner is None else labels[partner])
            return teaching.per_clip(batch if partner is None else batch.against(partner))

        if mixture is None:
            return against().mean()
        share, partner = mixture
        other = against(partner)
        return (share * against() + (1 - share) * other).mean()


def predict_logits(network: SceneNetwork, clips: ClipSource, rows: np.ndarray) -> np.ndarray:
    """A network's logits on clean clips, in evaluation mode.

    Args:
        network: on the clips' device; its mode is kept.
        clips: the corpus's clips.
        rows: ``(clips,)`` int64 rows of the corpus.

    Returns:
        ``(clips, scenes)`` float32.
    """
    was_training = network.training
    logits = predictor(network, clips)(rows)
    network.train(was_training)
    return logits


@torch.no_grad()
def predictor(network: SceneNetwork, clips: ClipSource) -> Callable[[np.ndarray], np.ndarray]:
    """What :func:`predict_logits` does, of a network that is made ready once; it must not be trained meanwhile.

    Args:
        network: on the clips' device; it is left in evaluation mode.
        clips: the corpus's clips.
    """
    model, frontend = _evaluated(network, clips.device), network.frontend

    @torch.no_grad()
    def predict(rows: np.ndarray) -> np.ndarray:
        logits = torch.empty(len(rows), len(network.scenes), device=clips.device)

        def compute(batch: slice) -> None:
            logits[batch] = model(frontend(clips.waveforms(rows[batch])))

        _in_batches(network, clips, len(rows), compute)
        return logits.cpu().numpy()

    return predict


@torch.no_grad()
def predict_embeddings(network: SceneNetwork, clips: ClipSource, rows: np.ndarray) -> np.ndarray:
    """A network's embeddings of clean clips, in evaluation mode: what its head makes logits of.

    Args:
        network: on the clips' device; its mode is kept.
        clips: the corpus's clips.
        rows: ``(clips,)`` int64 rows of the corpus, at least one.

    Returns:
        ``(clips, dims)`` float32.

    Raises:
        AscError: if the network's architecture has none.
    """
    head = head_of(network.recipe.arch, network.recipe.name)
    was_training = network.training
    model, frontend = _evaluated(network, clips.device), network.frontend
    found: dict[int, Tensor] = {}
    with hearing(model, head) as embeddings:

        def compute(batch: slice) -> None:
            model(frontend(clips.waveforms(rows[batch])))
            found[batch.start] = embeddings()

        _in_batches(network, clips, len(rows), compute)
    network.train(was_training)
    return torch.cat([found[first] for first in sorted(found)]).cpu().numpy()


def _evaluated(network: SceneNetwork, device: torch.device) -> nn.Module:
    """The network without its frontend, in evaluation mode, as it computes fastest there."""
    model = network.eval().folded_model()
    is_low = device.type == "cpu" and computes_in_bfloat16(network.recipe, device, training=False)
    return lowered(model) if is_low else model


def evaluated_at_a_time(network: SceneNetwork, clips: ClipSource) -> int:
    """How many clips a GPU, or each thread of a processor, takes through a network together in evaluation."""
    on_gpu = clips.device.type == "cuda"
    of_a_second = _GPU_CLIPS if on_gpu else ARCHITECTURES[network.recipe.arch].evaluation_clips
    return max(1, of_a_second * SAMPLE_RATE // clips.samples)  # of longer clips fewer fit into a cache or a GPU


def _in_batches(network: SceneNetwork, clips: ClipSource, count: int, compute: Callable[[slice], None]) -> None:
    """Have something computed of so many clips, as many at a time as suits the network and the device."""
    on_gpu = clips.device.type == "cuda"
    size = evaluated_at_a_time(network, clips)

    def do(first: int) -> None:
        with autocast(network.recipe, clips.device, training=False):
            compute(slice(first, first + size))

    firsts = range(0, count, size)
    if on_gpu:
        with within_memory(network.recipe.name):
            for first in firsts:
                do(first)
    else:
        for_each(do, firsts)


def best_device() -> torch.device:
    """A GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
