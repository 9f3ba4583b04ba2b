"""Recipes, networks, the training loop, losses, the learning-rate schedule and the Scorecard."""

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
