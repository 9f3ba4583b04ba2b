"""Teachers whose logits were damaged: their network says them again."""

from __future__ import annotations

import math

import numpy as np

from asc_experiments.base.errors import AscError
from asc_experiments.base.outage import Outage
from asc_experiments.distill.logits import LogitTable
from asc_experiments.distill.teacher import Teacher
from asc_experiments.distill.training_context import TrainingContext
from asc_experiments.metrics import OVERALL_LOSS
from asc_experiments.tracking.registry.network_store import fetch_network
from asc_experiments.training.loop import predict_logits

_SAME_LOSS = (OVERALL_LOSS, 1e-3)
"""By this metric a network is known to be the one that was scored; another machine's arithmetic changes less."""


def has_whole_logits(teacher: Teacher) -> bool:
    """Whether a Teacher's logits are there, and those that were written."""
    try:
        return bool(len(teacher.logits.values))
    except Outage:
        raise
    except AscError:
        return False


def logits_again(teacher: Teacher, bench: TrainingContext) -> LogitTable | None:
    """A Teacher's logits as its network says them now; None where the network is damaged too.

    Args:
        teacher: whose logits are lost.
        bench: the corpus that it was trained on.
    """
    if teacher.model_id is None:
        return None
    try:
        network = fetch_network(teacher.tracking, f"models:/{teacher.model_id}").to(bench.clips.device)
        values = predict_logits(network, bench.clips, np.arange(len(bench.corpus.clips)))
        name, tolerance = _SAME_LOSS
        is_same = math.isclose(bench.scorecards(values)[name], teacher.metrics[name], rel_tol=tolerance)
    except Outage:
        raise
    except Exception:  # whatever safetensors, JSON or torch say of damaged files
        return None
    return LogitTable(bench.corpus.filenames, values) if is_same else None
