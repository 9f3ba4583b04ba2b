"""Teachers' embeddings: computed from their stored network once a loss asks for them, and kept beside their logits."""

from __future__ import annotations

from threading import Lock

import numpy as np
from cachetools import LRUCache, cached

from asc_experiments.base.errors import AscError
from asc_experiments.base.hashing import digest_file
from asc_experiments.base.outage import Outage
from asc_experiments.base.progress import say
from asc_experiments.distill.bank import log_logits
from asc_experiments.distill.ensemble import Ensemble
from asc_experiments.distill.logits import LogitTable
from asc_experiments.distill.teacher import Teacher
from asc_experiments.distill.training_context import TrainingContext
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.registry.network_store import fetch_network
from asc_experiments.training import DistillationLoss
from asc_experiments.training.embedding import head_of
from asc_experiments.training.loop import predict_embeddings
from asc_experiments.training.teaching import TaughtEmbeddings

EMBEDDINGS, EMBEDDINGS_DIGEST = "embeddings/embeddings.npz", "asc.embeddings_digest"
_KEPT_BYTES = 512_000_000
"""Embeddings that a process keeps in memory: those of two PaSSTs on the training fold of TAU22."""
_LEAST_DEVIATION = 1e-6
"""Of a dimension that says something: a dead one stays 0 when it is standardised."""


def check_has_embeddings(teacher: Teacher, loss: str) -> None:
    """Refuse a Teacher whose embeddings cannot be computed.

    Args:
        teacher: of the bank.
        loss: the name of what needs them.

    Raises:
        AscError: if it has logits alone, or a network that does not say which module is its head.
    """
    where = f"teacher {teacher.key} ({teacher.name})"
    if teacher.model_id is None:
        what = f"has logits and no network, and loss '{loss}' needs embeddings"
        raise AscError(where, what, "take other teachers, or loss kl")
    if teacher.recipe is not None:
        head_of(teacher.recipe.arch, where)


def taught_embeddings(bench: TrainingContext, ensemble: Ensemble, loss: DistillationLoss) -> TaughtEmbeddings:
    """The embeddings of an Ensemble's members on the clips that are trained on, standardised over those.

    Args:
        bench: the corpus, split and list of clips that the student is trained on.
        ensemble: its teachers.
        loss: that asks for them.

    Raises:
        AscError: if a member has none.
    """
    for teacher in ensemble.teachers:
        check_has_embeddings(teacher, loss.name)
    rows = np.sort(bench.rows[0])
    return TaughtEmbeddings(rows, tuple(standardised(_embeddings(each, bench, rows)) for each in ensemble.teachers))


def standardised(embeddings: np.ndarray) -> np.ndarray:
    """Embeddings whose dimensions each have mean 0 and standard deviation 1; one that never changes is 0.

    Args:
        embeddings: ``(clips, dims)`` float16.

    Returns:
        The same shape, float16.
    """
    values = embeddings.astype(np.float32)
    deviation = values.std(axis=0)
    apart = values - values.mean(axis=0)
    return np.where(deviation > _LEAST_DEVIATION, apart / np.maximum(deviation, _LEAST_DEVIATION), 0).astype(np.float16)


def _embeddings(teacher: Teacher, bench: TrainingContext, rows: np.ndarray) -> np.ndarray:
    """A Teacher's embeddings of clips, found or computed now; another process asking for them waits."""
    names = [bench.corpus.filenames[row] for row in rows]
    run_id, whose = teacher.record.run_id, f"teacher {teacher.key}"
    with bench.lock(f"embeddings-{teacher.key}"):
        found = _found(bench.tracking, bench.tracking.get(run_id))
        if found is None or not set(names) <= set(found.filenames):
            say(f"{whose} {teacher.name}: its embeddings of {len(rows)} clips are computed")
            found = LogitTable(tuple(names), _computed(teacher, bench, rows))
            run = bench.tracking.writer(run_id, teacher.record.experiment_id)
            run.tags({EMBEDDINGS_DIGEST: log_logits(run, found, EMBEDDINGS)})
    return found.of(names, whose)


def _computed(teacher: Teacher, bench: TrainingContext, rows: np.ndarray) -> np.ndarray:
    network = fetch_network(bench.tracking, f"models:/{teacher.model_id}").to(bench.clips.device)
    values = predict_embeddings(network, bench.clips, rows).astype(np.float16)
    if not np.isfinite(values).all():
        raise AscError(f"teacher {teacher.key}", "has embeddings that float16 does not hold", "take another teacher")
    return values


def _found(tracking: Tracking, record: RunRecord) -> LogitTable | None:
    """The embeddings that a Teacher's run keeps; None where there are none, or they are damaged."""
    if EMBEDDINGS_DIGEST not in record.tags:
        return None
    try:
        return _read(tracking, record.run_id, record.tags[EMBEDDINGS_DIGEST])
    except Outage:
        raise
    except AscError:
        return None


@cached(
    LRUCache(_KEPT_BYTES, getsizeof=lambda table: table.values.nbytes),
    key=lambda tracking, run_id, digest: digest,
    lock=Lock(),
)
def _read(tracking: Tracking, run_id: str, digest: str) -> LogitTable:
    """Embeddings by their digest: every student of every trial asks for those of the same few teachers."""
    with tracking.artifacts(run_id, EMBEDDINGS) as path:
        if digest_file(path) != digest:
            raise AscError(f"run {run_id}", "its embeddings are damaged")
        return LogitTable.load(path)
