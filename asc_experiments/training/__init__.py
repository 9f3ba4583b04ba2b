"""Recipes, networks, the training loop, losses, the learning-rate schedule and the Scorecard."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
_MODULES = {
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
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is: what needs the Scorecard's names alone does not wait for PyTorch."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
