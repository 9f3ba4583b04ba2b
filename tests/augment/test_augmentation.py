"""The door through which augmentations come in, and what Recipes tell of those that come with the program."""

import numpy as np
import pytest
import torch

from asc_experiments.augment import (
    AUGMENTATIONS,
    AugmentationContext,
    AugmentationSettings,
    Augmenter,
    DeviceImpulseResponses,
)
from asc_experiments.augment.augmentation import STAGES, TAKEN, acting
from asc_experiments.augment.settings import in_order, switched_on
from asc_experiments.base.errors import AscError
from asc_experiments.corpus.segments import Segments
from asc_experiments.training.recipe import Optimisation, Recipe, make_recipe


def test_no_augmentation_may_take_the_name_of_another_setting() -> None:
    others = {
        *Optimisation.model_fields,
        *(name for name in Recipe.model_fields if name not in ("network", "augmentation")),
    }
    assert others - {"optimisation"} <= set(TAKEN)
    assert not set(TAKEN) & set(AugmentationSettings.model_fields)


def test_they_draw_in_the_order_of_the_published_systems() -> None:
    assert [kind.name for kind in in_order()] == [
        "segment_crop", "dir", "roll", "fmax_jitter", "frequency_mask", "time_mask", "fms", "mixup",
    ]  # fmt: skip


def test_what_is_off_is_not_applied() -> None:
    assert switched_on(AugmentationSettings(frequency_mask=0, fmax_jitter=0)) == ()
    (only,) = switched_on(AugmentationSettings(frequency_mask=0, fmax_jitter=0, fms_probability=0.2, fms_alpha=0.5))
    assert (only.name, only.model_dump()) == ("fms", {"fms_probability": 0.2, "fms_alpha": 0.5})


def test_what_is_off_is_told_by_its_switch_alone() -> None:
    assert acting({"fms_probability": 0.0, "fms_alpha": 0.5, "unknown": 1}) == {"fms_probability": 0.0, "unknown": 1}
    assert acting({"fms_probability": 0.1, "fms_alpha": 0.5}) == {"fms_probability": 0.1, "fms_alpha": 0.5}


def test_every_augmentation_of_the_program_can_be_switched_off() -> None:
    off = {kind.switch(): kind.off() for kind in AUGMENTATIONS.values()}
    assert switched_on(AugmentationSettings(**off)) == ()


@pytest.mark.parametrize(("augment", "hint"), [("dirfm", "'dirfms'"), ("dir+humm", "valid: dir"), ("", "valid: dir")])
def test_unknown_label_is_answered_with_those_there_are(augment: str, hint: str) -> None:
    with pytest.raises(AscError, match="unknown augment") as raised:
        make_recipe("cp_mobile", augment)
    assert hint in raised.value.remedy


def test_labels_may_be_joined_by_plus() -> None:
    assert make_recipe("cp_mobile", "dir+fms") == make_recipe("cp_mobile", "dirfms")


def test_missing_package_is_named_by_a_stored_recipe() -> None:
    source = {"name": "hum", "distribution": "hum-kit", "version": "1.2", "digest": "c0ffee"}
    stored = make_recipe("cp_mobile").model_dump() | {"sources": [source]}
    with pytest.raises(AscError, match=r"needs augmentation 'hum', which is not installed; pip install hum-kit==1\.2"):
        Recipe.parse(stored, "teacher c0ffee")


def test_they_draw_the_same_numbers_in_the_same_order_as_ever() -> None:
    """What was drawn before each was a file of its own: else equal seeds would no longer give equal networks."""
    n, rng = 8, np.random.default_rng(0)
    context = AugmentationContext(
        samples=50,
        responses=DeviceImpulseResponses(np.ones((3, 5), dtype=np.float32), 50),
        segments=Segments(np.arange(n), np.zeros(n, dtype=np.int64), np.full(n, n)),
    )
    all_of_them = AugmentationSettings(
        segment_crop=0.5, dir_probability=0.6, roll=9, fmax_jitter=500, frequency_mask=4, time_mask=3,
        fms_probability=0.9, fms_alpha=0.3, mixup_alpha=0.3,
    )  # fmt: skip
    augmenter = Augmenter(all_of_them, rng, context)
    for _ in range(3):
        batch = augmenter.batch(np.arange(n), np.arange(n) % 2 == 0, 15_500.0)
        batch.waveforms, batch.features = torch.zeros(n, 50), torch.zeros(n, 1, 8, 7)
        for stage in STAGES:
            augmenter.apply(stage, batch)
    assert (batch.fmax, rng.random()) == (15_512.0, 0.08601243606100262)
