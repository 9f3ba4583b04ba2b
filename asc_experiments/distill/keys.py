"""Keys: what identifies a training, as the digest of everything that decides how it comes out, and of nothing else.

Of its settings only those count that differ from the tables in here. These are frozen: literal values, the published
ones as they were when keys of this schema were first computed, whatever the defaults in force are. So a changed default
gives new trainings a new key and leaves stored ones theirs, and a setting that did not exist yet, being off, changes no
key. The tables are never edited; where a later setting is not off by default, or does not mean "as before" when it is
off, its value that does is added to :data:`LATER`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from asc_experiments.augment.augmentation import is_off
from asc_experiments.augment.augmentations import acting
from asc_experiments.base.hashing import digest_json
from asc_experiments.corpus import ValidationSplit
from asc_experiments.models import ARCHITECTURES
from asc_experiments.training import Recipe

SCHEMA = 2
"""Part of every key: raised when the code changes what a setting means, so that no stale network is used again."""

Settings = Mapping[str, Any]
_COMMON = {
    "dir_probability": 0.0, "fms_probability": 0.0, "mixup_alpha": 0.0, "frequency_mask": 48, "fmax_jitter": 500,
    "segment_crop": 0.0,
}  # fmt: skip
FROZEN: dict[str, dict[str, Any]] = {
    "cp_mobile": {
        "network": {"base_channels": 32, "channels_multiplier": 2.3, "expansion_rate": 3.0},
        "augmentation": _COMMON | {"roll": 4_000, "fms_alpha": 0.3, "time_mask": 0},
        "optimisation": {
            "epochs": 150, "batch_size": 256, "learning_rate": 9e-4, "weight_decay": 1e-4,
            "warmup_epochs": 14, "rampdown_start": 50, "rampdown_epochs": 84, "last_factor": 0.005,
        },
        "seed": 0,
    },
    "cp_mobile_2024": {
        "network": {"base_channels": 32, "channels_multiplier": 1.8, "expansion_rate": 2.1},
        "augmentation": _COMMON | {"roll": 3_200, "fms_alpha": 0.3, "time_mask": 0, "fmax_jitter": 0},
        "optimisation": {
            "epochs": 150, "batch_size": 256, "learning_rate": 5e-3, "weight_decay": 1e-4, "optimiser": "adamw",
            "schedule": "cosine", "warmup_epochs": 15, "rampdown_start": 15, "rampdown_epochs": 135, "last_factor": 0.0,
        },
        "seed": 0,
    },
    "cp_resnet": {
        "network": {"base_channels": 32},
        "augmentation": _COMMON | {"roll": 4_000, "fms_alpha": 0.4, "time_mask": 0},
        "optimisation": {
            "epochs": 150, "batch_size": 256, "learning_rate": 1e-3, "weight_decay": 1e-3,
            "warmup_epochs": 15, "rampdown_start": 50, "rampdown_epochs": 85, "last_factor": 0.005,
        },
        "seed": 0,
    },
    "passt": {
        "network": {
            "embed_dim": 768, "depth": 12, "num_heads": 12, "patchout_frequency": 6, "pretrained": "none",
        },
        "augmentation": _COMMON | {"roll": 10_000, "fms_alpha": 0.4, "time_mask": 20},
        "optimisation": {
            "epochs": 25, "batch_size": 80, "learning_rate": 1e-5, "weight_decay": 1e-3,
            "warmup_epochs": 3, "rampdown_start": 3, "rampdown_epochs": 10, "last_factor": 0.01,
        },
        "seed": 0,
    },
}  # fmt: skip
LATER: dict[str, dict[str, Any]] = {"optimisation": {"optimiser": "adam", "schedule": "ramp"}}
"""Of settings that came after schema 2, by group: the value with which a network comes out as it did before."""
_FROZEN_SPLIT = {"fraction": 0.0, "hold_out_devices": [], "seed": 0}


@dataclass(frozen=True)
class Conditions:
    """What a training depends on besides its Recipe, its corpus and its split; nothing of it for what was imported.

    Attributes:
        number_format: in which the network computes while it is trained: ``float32`` or ``bfloat16``.
        impulse_responses: their digest, where the Recipe has DIR.
        reference_device: whose clips they are applied to, where the Recipe has DIR.
        training_clips: the digest of the list of clips that alone are trained on, where there is one.
    """

    number_format: str | None = None
    impulse_responses: str | None = None
    reference_device: str | None = None
    training_clips: str | None = None


def differing(settings: Settings, frozen: Settings) -> dict[str, Any]:
    """The settings that differ from a frozen table, with their values.

    Args:
        settings: by name, as JSON has them; a group of settings is a mapping.
        frozen: their frozen values. A setting that it does not name is left out where it is off: ``0``, ``false``,
            ``none`` or empty.
    """
    different: dict[str, Any] = {}
    for name, value in settings.items():
        known = frozen.get(name)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            if group := differing(value, known):
                different[name] = group
        elif not (value == known if name in frozen else is_off(value)):
            different[name] = value
    return different


def recipe_identity(recipe: Recipe) -> dict[str, Any]:
    """What a Recipe adds to a key: its architecture, and the settings that differ from the frozen ones.

    Of an architecture or an augmentation of another package its distribution, version and source count too, and all its
    settings: what they mean is frozen nowhere. Of an augmentation that is off nothing counts.
    """
    settings = recipe.model_dump(mode="json")
    settings["augmentation"] = acting(settings["augmentation"])
    arch = settings["network"].pop("arch")
    source = ARCHITECTURES[arch].source
    if source is not None:
        outside = {"arch": arch, "source": source.model_dump(), "network": settings.pop("network")}
        later = {group: LATER.get(group, {}) for group in ("augmentation", "optimisation")}
        return outside | differing(settings, later | {"augmentation": _COMMON | later["augmentation"], "seed": 0})
    frozen = FROZEN.get(arch, {})
    known = {
        group: {**LATER.get(group, {}), **frozen.get(group, {})} if isinstance(value, Mapping) else frozen.get(group)
        for group, value in settings.items()
    }
    return {"arch": arch} | differing(settings, known)


def training_identity(
    recipe: Recipe | None, corpus_digest: str, split: ValidationSplit, conditions: Conditions
) -> dict[str, Any]:
    """Everything that decides how a network comes out that learns from labels, for a digest."""
    held_out = differing(split.normalised().model_dump(mode="json"), _FROZEN_SPLIT)
    given = {name: value for name, value in asdict(conditions).items() if value is not None}
    recipe_part = recipe_identity(recipe) if recipe else None
    return {"schema": SCHEMA, "recipe": recipe_part, "corpus": corpus_digest, "split": held_out} | given


def teacher_key(
    recipe: Recipe | None,
    corpus_digest: str,
    split: ValidationSplit,
    conditions: Conditions = Conditions(),
    weights: str | None = None,
) -> str:
    """What identifies a Teacher.

    Args:
        recipe: fully resolved; None for logits that came without a network.
        corpus_digest: of the corpus's content.
        split: which clips were held out.
        conditions: of the training, where there was one here.
        weights: the digest of what was imported, instead of a promise to train.
    """
    identity = training_identity(recipe, corpus_digest, split, conditions)
    return digest_json(identity | ({"weights": weights} if weights is not None else {}), length=16)


def key_of_schema_1(
    recipe: Recipe | None,
    corpus_digest: str,
    split: ValidationSplit,
    impulse_responses: str | None,
    weights: str | None = None,
) -> str:
    """The key that a Teacher had before schema 2: of all settings there were, without the number format."""
    identity = {
        "schema": 1,
        "recipe": _dump_of_schema_1(recipe) if recipe else None,
        "corpus": corpus_digest,
        "split": {k: v for k, v in split.normalised().model_dump(mode="json").items() if k in _FROZEN_SPLIT},
        "impulse_responses": impulse_responses,
    }
    return digest_json(identity | ({"weights": weights} if weights is not None else {}), length=16)


def _dump_of_schema_1(recipe: Recipe) -> dict[str, Any]:
    frozen, dump = FROZEN.get(recipe.arch, {}), recipe.model_dump(mode="json")
    groups = {
        group: {name: value for name, value in dump[group].items() if name in frozen.get(group, {}) or name == "arch"}
        for group in ("network", "augmentation", "optimisation")
    }
    return groups | {"seed": recipe.seed}
