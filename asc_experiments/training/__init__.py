"""Recipes, networks, the training loop, losses, the learning-rate schedule and the Scorecard."""

from typing import TYPE_CHECKING

from asc_experiments.base.lazy import importing

if TYPE_CHECKING:
    from asc_experiments.training.checkpoint import Checkpoint, EpochRecord, open_checkpoint
    from asc_experiments.training.data import ClipSource
    from asc_experiments.training.loop import EpochReport, SoftTargets, Trainer
    from asc_experiments.training.network import SceneNetwork, load_network, save_network
    from asc_experiments.training.recipe import Recipe, make_recipe
    from asc_experiments.training.scorecard import Scorecard, score

__all__ = [
    "Checkpoint",
    "ClipSource",
    "EpochRecord",
    "EpochReport",
    "Recipe",
    "SceneNetwork",
    "Scorecard",
    "SoftTargets",
    "Trainer",
    "load_network",
    "make_recipe",
    "open_checkpoint",
    "save_network",
    "score",
]
__getattr__ = importing(
    __name__,
    {
        "Checkpoint": "checkpoint",
        "ClipSource": "data",
        "EpochRecord": "checkpoint",
        "EpochReport": "loop",
        "Recipe": "recipe",
        "SceneNetwork": "network",
        "Scorecard": "scorecard",
        "SoftTargets": "loop",
        "Trainer": "loop",
        "load_network": "network",
        "make_recipe": "recipe",
        "open_checkpoint": "checkpoint",
        "save_network": "network",
        "score": "scorecard",
    },
)
