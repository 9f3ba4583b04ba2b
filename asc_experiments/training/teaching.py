"""What a student learns from besides the labels: its teachers' answers, and the loss that weighs them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from asc_experiments.base.errors import AscError
from asc_experiments.training.embedding import head_of, hearing
from asc_experiments.training.losses import KL, DistillationBatch, DistillationLoss
from asc_experiments.training.network import SceneNetwork


@dataclass(frozen=True, eq=False)
class TaughtEmbeddings:
    """Embeddings of teachers on the clips that a student is trained on.

    Attributes:
        rows: ``(taught clips,)`` int64 rows of the corpus, ascending.
        of_teachers: of each teacher ``(taught clips, its dims)`` float16, standardised.
    """

    rows: np.ndarray
    of_teachers: tuple[np.ndarray, ...]

    @property
    def dims(self) -> tuple[int, ...]:
        """Of each teacher's embedding."""
        return tuple(each.shape[1] for each in self.of_teachers)

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Where the embeddings of clips are.

        Args:
            rows: ``(batch,)`` int64 rows of the corpus.

        Raises:
            ValueError: if a clip has none.
        """
        places = np.searchsorted(self.rows, rows).clip(max=len(self.rows) - 1)
        if (self.rows[places] != rows).any():
            raise ValueError("a clip is trained on of which teachers have no embedding")
        return places


@dataclass(frozen=True, eq=False)
class SoftTargets:
    """What a student learns from besides the labels.

    Attributes:
        logits: the ensemble's on the clean clips, ``(clips, classes)`` float32, by the corpus's rows.
        loss: how they are weighed.
        embeddings: of the teachers, where the loss needs them.
    """

    logits: np.ndarray
    loss: DistillationLoss = field(default_factory=KL)
    embeddings: TaughtEmbeddings | None = None


class Teaching:
    """Soft targets on the device that trains, and what is trained beside the student for their loss.

    Args:
        targets: what the student learns from.
        network: the student.
        device: where it is.
        samples: of a clip.

    Raises:
        AscError: if the loss needs embeddings, and the student's architecture has none.
    """

    def __init__(self, targets: SoftTargets, network: SceneNetwork, device: torch.device, samples: int) -> None:
        self.loss = targets.loss
        self._logits = torch.from_numpy(targets.logits).to(device)
        self._embeddings, self.head, dims = targets.embeddings, "", 0
        self._of_teachers: tuple[Tensor, ...] = ()
        if self.loss.needs_embeddings:
            if targets.embeddings is None:
                raise ValueError(f"loss {self.loss.name} needs embeddings of teachers")
            self.head = head_of(network.recipe.arch, f"student {network.recipe.name}")
            self._of_teachers = tuple(torch.from_numpy(each).to(device) for each in targets.embeddings.of_teachers)
            dims = _dims(network, self.head, torch.zeros(1, samples, device=device))
        with torch.random.fork_rng(devices=[]):  # so that the network draws what it would without heads
            self.heads = self.loss.heads(dims, targets.embeddings.dims if targets.embeddings else ()).to(device)

    def forward(self, model: nn.Module, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """A student's logits of log-mels, and its embeddings where the loss needs them.

        Args:
            model: the student without its frontend.
            features: ``(batch, 1, mels, frames)``.

        Returns:
            ``(batch, scenes)`` as the network computes them, and ``(batch, dims)`` float32.
        """
        if not self.head:
            return model(features), None
        with hearing(model, self.head) as embeddings:
            return model(features), embeddings()

    def batch(self, logits: Tensor, embeddings: Tensor | None, labels: Tensor, rows: np.ndarray) -> DistillationBatch:
        """What the loss is told of a batch.

        Args:
            logits: the student's, ``(batch, scenes)`` float32.
            embeddings: as :meth:`forward` gave them.
            labels: ``(batch,)`` int64.
            rows: ``(batch,)`` int64 rows of the corpus.
        """
        theirs = self._logits[torch.from_numpy(rows).to(labels.device, non_blocking=True)]
        if self._embeddings is None or not self.head:
            return DistillationBatch(logits, labels, theirs)
        places = torch.from_numpy(self._embeddings.places(rows)).to(labels.device, non_blocking=True)
        taught = tuple(each[places].float() for each in self._of_teachers)
        return DistillationBatch(logits, labels, theirs, embeddings, taught)

    def per_clip(self, batch: DistillationBatch) -> Tensor:
        """What the loss charges each clip, ``(batch,)``.

        Raises:
            AscError: if it gives something else.
        """
        charged = self.loss.per_clip(batch, self.heads)
        if charged.shape != batch.labels.shape:
            what = f"charged {tuple(charged.shape)} for a batch of {len(batch.labels)} clips"
            raise AscError(f"loss '{self.loss.name}'", what, "have per_clip give one number per clip: (batch,)")
        return charged


def _dims(network: SceneNetwork, head: str, waveforms: Tensor) -> int:
    """How many numbers an embedding of a network is."""
    was_training = network.training
    with torch.no_grad(), hearing(network.eval().model, head) as embeddings:
        network(waveforms)
        found = embeddings().shape[1]
    network.train(was_training)
    return int(found)
