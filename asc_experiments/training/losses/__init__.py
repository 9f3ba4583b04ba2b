"""The losses of students that have teachers: that of the published systems, others, and those of installed packages."""

from asc_experiments.training.losses.features import Features
from asc_experiments.training.losses.kl import KL, distillation_loss, label_loss
from asc_experiments.training.losses.loss import (
    LOSS,
    LOSSES,
    PUBLISHED,
    DistillationBatch,
    DistillationLoss,
    logged_loss,
    loss_settings,
    parse_loss,
    register_loss,
)

__all__ = [
    "KL",
    "LOSS",
    "LOSSES",
    "PUBLISHED",
    "DistillationBatch",
    "DistillationLoss",
    "Features",
    "distillation_loss",
    "label_loss",
    "logged_loss",
    "loss_settings",
    "parse_loss",
    "register_loss",
]

LOSSES.load_outside()
