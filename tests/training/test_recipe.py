"""Recipes are complete, strict, frozen, and the published ones by default."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_experiments.base.errors import AscError
from asc_experiments.training import Recipe, make_recipe
from asc_experiments.training.recipe import recipe_keys


def test_published_student_is_the_default() -> None:
    recipe = make_recipe("cp_mobile", "dirfms")
    assert recipe.network.model_dump() == {
        "arch": "cp_mobile", "base_channels": 32, "channels_multiplier": 2.3, "expansion_rate": 3.0,
    }  # fmt: skip
    o, a = recipe.optimisation, recipe.augmentation
    assert (o.epochs, o.batch_size, o.learning_rate, o.weight_decay) == (150, 256, 9e-4, 1e-4)
    assert (o.warmup_epochs, o.rampdown_start, o.rampdown_epochs, o.last_factor) == (14, 50, 84, 0.005)
    assert (a.roll, a.dir_probability, a.fms_probability, a.fms_alpha) == (4_000, 0.6, 0.4, 0.3)
    assert (a.frequency_mask, a.time_mask, a.fmax_jitter, a.mixup_alpha) == (48, 0, 500, 0.0)


def test_published_teachers_are_the_defaults_of_their_architectures() -> None:
    resnet, passt = make_recipe("cp_resnet", "dirfms"), make_recipe("passt", "dirfms")
    assert (resnet.augmentation.dir_probability, resnet.augmentation.fms_probability) == (0.4, 0.8)
    assert (passt.optimisation.epochs, passt.optimisation.batch_size, passt.augmentation.time_mask) == (25, 80, 20)
    assert passt.size == "768x12"


@pytest.mark.parametrize(
    ("augment", "probabilities"), [("none", (0, 0)), ("dir", (0.6, 0)), ("fms", (0, 0.4)), ("dirfms", (0.6, 0.4))]
)
def test_augment_turns_the_two_methods_on(augment: str, probabilities: tuple[float, float]) -> None:
    recipe = make_recipe("cp_mobile", augment)
    chosen = recipe.augmentation
    assert (chosen.dir_probability, chosen.fms_probability) == probabilities
    assert recipe.augment == augment
    assert recipe.needs_impulse_responses == ("dir" in augment)


def test_schedule_is_stretched_with_the_epochs_unless_it_is_given() -> None:
    o = make_recipe("cp_mobile", epochs=20).optimisation
    assert (o.warmup_epochs, o.rampdown_start, o.rampdown_epochs) == (2, 6, 11)
    o = make_recipe("cp_mobile", epochs=20, rampdown_start=9).optimisation
    assert (o.warmup_epochs, o.rampdown_start, o.rampdown_epochs) == (2, 9, 11)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["cp_mobile", "cp_resnet", "passt"]),
    st.sampled_from(["none", "dir", "fms", "dirfms"]),
    st.integers(1, 300),
    st.integers(0, 1_000),
)
def test_recipe_survives_json_and_can_be_hashed(arch: str, augment: str, epochs: int, seed: int) -> None:
    recipe = make_recipe(arch, augment, epochs=epochs, seed=seed)
    again = Recipe.model_validate_json(recipe.model_dump_json())
    assert again == recipe
    assert hash(again) == hash(recipe)
    assert recipe.flat()["epochs"] == epochs


@pytest.mark.parametrize("arch", ["cp_mobile", "cp_resnet", "passt"])
def test_every_logged_setting_can_be_given_back(arch: str) -> None:
    recipe = make_recipe(arch, "dirfms", epochs=7, seed=3)
    flat = recipe.flat()
    assert set(flat) | {"augment", "size"} == {"arch", "augment", "size", *recipe_keys(arch)}
    flat.pop("arch")
    assert make_recipe(arch, **flat) == recipe


def test_any_changed_setting_makes_another_recipe() -> None:
    recipes = [
        make_recipe("cp_mobile"), make_recipe("cp_mobile", seed=1), make_recipe("cp_mobile", "fms"),
        make_recipe("cp_mobile", base_channels=16), make_recipe("cp_mobile", weight_decay=1e-5),
    ]  # fmt: skip
    assert len(set(recipes)) == 5


def test_pretrained_passt_is_another_recipe_with_another_name() -> None:
    plain, pretrained = make_recipe("passt"), make_recipe("passt", pretrained="audioset")
    assert (plain.pretrained, pretrained.pretrained, make_recipe("cp_mobile").pretrained) == (
        "none",
        "audioset",
        "none",
    )
    assert plain != pretrained
    assert (plain.name, pretrained.name) == ("passt-768x12-none-s0", "passt-768x12-audioset-none-s0")


def test_recipe_written_before_there_were_pretrained_ones_can_be_read() -> None:
    recipe = make_recipe("passt", size="xs")
    written = recipe.model_dump(mode="json")
    del written["network"]["pretrained"]
    assert Recipe.model_validate_json(json.dumps(written)) == recipe


def test_recipe_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        make_recipe("cp_mobile").seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("arch", "values", "message"),
    [
        ("cp_mobil", {}, "did you mean 'cp_mobile'"),
        ("cp_mobile", {"augment": "dirfm"}, "did you mean 'dirfms'"),
        ("cp_mobile", {"epoch": 3}, "did you mean 'epochs'"),
        ("cp_resnet", {"expansion_rate": 3.0}, "a cp_resnet recipe has no 'expansion_rate'"),
        ("cp_mobile", {"epochs": "3"}, "'epochs' is '3'"),
        ("cp_mobile", {"epochs": 2.5}, "'epochs' is 2.5"),
        ("cp_mobile", {"epochs": True}, "'epochs' is True"),
        ("cp_mobile", {"base_channels": "32"}, "'base_channels' is '32'; give a whole number"),
        ("cp_mobile", {"epochs": 0}, "'epochs' is 0"),
        ("cp_mobile", {"learning_rate": float("nan")}, "learning_rate"),
        ("passt", {"size": "xl"}, "unknown passt size 'xl'"),
        ("passt", {"embed_dim": 100, "num_heads": 3}, "not a multiple"),
        ("passt", {"pretrained": "audioset", "size": "xs"}, "needs embed_dim 768, depth 12 and num_heads 12"),
        ("passt", {"pretrained": "audioset", "depth": 6}, "needs embed_dim 768, depth 12 and num_heads 12"),
        ("passt", {"pretrained": "imagenet"}, "pretrained' is 'imagenet'"),
        ("passt", {"pretrained": True}, "pretrained' is True"),
        ("cp_resnet", {"pretrained": "audioset"}, "a cp_resnet recipe has no 'pretrained'"),
    ],
)
def test_mistake_is_named_with_the_nearest_valid_name(arch: str, values: dict, message: str) -> None:
    with pytest.raises(AscError, match=message):
        make_recipe(arch, **values)
