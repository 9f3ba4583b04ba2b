"""Recipes, networks, the training loop, losses, the learning-rate schedule and the Scorecard."""

from typing import TYPE_CHECKING

from asc_experiments.base.lazy import importing

if TYPE_CHECKING:
    from asc_experiments.training.checkpoint import Checkpoint, EpochRecord, open_checkpoint
    from asc_experiments.training.data import ClipSource
    from asc_experiments.training.loop import EpochReport, Trainer
    from asc_experiments.training.losses import (
        KL,
        LOSSES,
        DistillationBatch,
        DistillationLoss,
        Features,
        label_loss,
        register_loss,
    )
    from asc_experiments.training.network import SceneNetwork, load_network, save_network
    from asc_experiments.training.recipe import Recipe, make_recipe
    from asc_experiments.training.scorecard import Scorecard, score
    from asc_experiments.training.teaching import SoftTargets

__all__ = [
    "KL",
    "LOSSES",
    "Checkpoint",
    "ClipSource",
    "DistillationBatch",
    "DistillationLoss",
    "EpochRecord",
    "EpochReport",
    "Features",
    "Recipe",
    "SceneNetwork",
    "Scorecard",
    "SoftTargets",
    "Trainer",
    "label_loss",
    "load_network",
    "make_recipe",
    "open_checkpoint",
    "register_loss",
    "save_network",
    "score",
]
__getattr__ = importing(
    __name__,
    {
        "Checkpoint": "checkpoint",
        "ClipSource": "data",
        "DistillationBatch": "losses",
        "DistillationLoss": "losses",
        "EpochRecord": "checkpoint",
        "EpochReport": "loop",
        "Features": "losses",
        "KL": "losses",
        "LOSSES": "losses",
        "Recipe": "recipe",
        "SceneNetwork": "network",
        "Scorecard": "scorecard",
        "SoftTargets": "teaching",
        "Trainer": "loop",
        "label_loss": "losses",
        "load_network": "network",
        "make_recipe": "recipe",
        "open_checkpoint": "checkpoint",
        "register_loss": "losses",
        "save_network": "network",
        "score": "scorecard",
    },
)
