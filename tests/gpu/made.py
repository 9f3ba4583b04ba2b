"""Small networks, clips and trainings that tests of devices share."""

from typing import Any

import numpy as np
import torch

from asc_experiments.corpus.segments import Segments
from asc_experiments.training import KL, ClipSource, Features, SoftTargets, Trainer, make_recipe
from asc_experiments.training.teaching import TaughtEmbeddings

ARCHES = ("cp_mobile", "cp_resnet", "passt")
SCENES = tuple("abcdefghij")
TINY: dict[str, dict[str, int]] = {
    "cp_mobile": {"base_channels": 8},
    "cp_resnet": {"base_channels": 10},
    "passt": {"embed_dim": 32, "depth": 2, "num_heads": 2, "patchout_frequency": 2},
}
EVERYTHING = {"dir_probability": 0.6, "fms_probability": 1.0, "mixup_alpha": 0.3, "time_mask": 10, "roll": 4_000}
COUNT, SAMPLES = 40, 16_000


def waveforms(count: int = COUNT, samples: int = SAMPLES, seed: int = 0) -> np.ndarray:
    """``(count, samples)`` int16: a tone of each scene's own in noise, so that something can be learned."""
    chance = np.random.default_rng(seed)
    tones = np.sin(2 * np.pi * (200 + 150 * (np.arange(count) % 10))[:, None] * np.arange(samples) / 32_000)
    return (2_000 * tones + 2_000 * chance.normal(size=(count, samples))).astype(np.int16)


def clips(device: torch.device, count: int = COUNT, samples: int = SAMPLES) -> ClipSource:
    """Clips on a device, of the scenes in turn; every other one was recorded with the reference device."""
    labels = np.arange(count) % len(SCENES)
    return ClipSource(waveforms(count, samples), labels, np.arange(count) // 10 % 2 == 0, device)


def targets(kind: str, count: int = COUNT) -> SoftTargets | None:
    """What a student learns from: ``labels`` alone, teachers' logits (``kl``), or their embeddings too."""
    chance = np.random.default_rng(1)
    logits = chance.normal(size=(count, len(SCENES))).astype(np.float32)
    if kind == "labels":
        return None
    if kind == "kl":
        return SoftTargets(logits, KL(temperature=2.0, label_weight=0.1))
    taught = TaughtEmbeddings(np.arange(count), (chance.normal(size=(count, 12)).astype(np.float16),))
    return SoftTargets(logits, Features(), taught)


def trainer(source: ClipSource, arch: str, learns_from: str = "labels", **settings: Any) -> Trainer:
    """What trains a tiny network, with every augmentation that its targets allow."""
    count = len(source.is_reference)
    crop = 0.5 if learns_from == "labels" else 0.0
    given = EVERYTHING | TINY[arch] | {"epochs": 2, "batch_size": 20, "segment_crop": crop} | settings
    responses = np.random.default_rng(2).normal(size=(3, 400)).astype(np.float32) / 20
    rows = np.arange(count)
    segments = Segments(rows, rows // 10 * 10, np.full(count, 10))
    recipe = make_recipe(arch, "dirfms", **given)
    return Trainer(recipe, source, SCENES, responses, targets(learns_from, count), None, segments)
