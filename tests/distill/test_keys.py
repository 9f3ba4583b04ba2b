"""Keys name everything that decides how a network comes out; what is off, or came later, changes none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asc_experiments.augment import AugmentationSettings
from asc_experiments.base.entry_points import Source
from asc_experiments.base.errors import AscError
from asc_experiments.corpus import ValidationSplit
from asc_experiments.corpus.index import REFERENCE_FILE
from asc_experiments.distill import Teacher, TeacherBank, TrainingContext
from asc_experiments.distill.bank import check_learnable
from asc_experiments.distill.keys import (
    FROZEN,
    LATER,
    Conditions,
    differing,
    key_of_schema_1,
    recipe_identity,
    teacher_key,
)
from asc_experiments.distill.student import student_identity
from asc_experiments.models import ARCHITECTURES
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import HELD_OUT, IMPORTED, NUMBER_FORMAT
from asc_experiments.training import Recipe, make_recipe, precision

Open = Callable[..., TrainingContext]
CORPUS, RESPONSES = "c0ffee" * 5 + "00", "feed" * 8
FLOAT32, BFLOAT16 = Conditions("float32"), Conditions("bfloat16")
WITH_DIR = Conditions("bfloat16", RESPONSES, "a")
WHOLE, SPLIT = ValidationSplit(), ValidationSplit(fraction=0.2, hold_out_devices=("s3",))

KNOWN = {
    "348d406fb34793ca": (make_recipe("cp_mobile"), WHOLE, FLOAT32),
    "a5d5a1e354304a0d": (make_recipe("cp_mobile"), WHOLE, BFLOAT16),
    "73c2c954b271a848": (make_recipe("cp_resnet", "dirfms"), WHOLE, WITH_DIR),
    "beea02df85463b0a": (make_recipe("passt"), WHOLE, BFLOAT16),
    "d6a02f8b814efb1a": (make_recipe("cp_mobile_2024", "fms"), WHOLE, BFLOAT16),
    "92ff33b2c685e8b1": (make_recipe("cp_resnet", "dirfms", base_channels=64, epochs=20), SPLIT, WITH_DIR),
}
"""Keys as they lie in tracking servers: where one of these changes, stored teachers are no longer found."""


def tiny(augment: str = "none", **settings: object) -> Recipe:
    return make_recipe("cp_mobile", augment, **({"base_channels": 8, "epochs": 1, "batch_size": 64} | settings))


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Set whether this processor multiplies bfloat16."""
    return lambda able: monkeypatch.setattr(precision, "_multiplies_bfloat16", lambda: able)


@pytest.mark.parametrize("key", KNOWN)
def test_known_keys_stay(key: str) -> None:
    recipe, split, conditions = KNOWN[key]
    assert teacher_key(recipe, CORPUS, split, conditions) == key


class AugmentationToCome(AugmentationSettings):
    """With a setting that there is not yet, off by default."""

    cutmix_probability: float = 0.0
    backgrounds: str = "none"


class RecipeToCome(Recipe):
    augmentation: AugmentationToCome


def to_come(recipe: Recipe, **settings: Any) -> Recipe:
    values = recipe.model_dump()
    values["augmentation"] |= settings
    return RecipeToCome.model_validate(values)


@pytest.mark.parametrize("key", KNOWN)
def test_new_setting_that_is_off_changes_no_key_and_switched_on_it_does(key: str) -> None:
    recipe, split, conditions = KNOWN[key]
    assert teacher_key(to_come(recipe), CORPUS, split, conditions) == key
    assert teacher_key(to_come(recipe, cutmix_probability=0.5), CORPUS, split, conditions) != key
    assert teacher_key(to_come(recipe, backgrounds="birds"), CORPUS, split, conditions) != key


def test_new_setting_of_the_split_that_is_off_changes_no_key() -> None:
    class SplitToCome(ValidationSplit):
        counts_all: bool = False

        def normalised(self) -> ValidationSplit:
            return self

    recipe = make_recipe("cp_mobile")
    key = teacher_key(recipe, CORPUS, SPLIT, FLOAT32)
    values = SPLIT.model_dump()
    assert teacher_key(recipe, CORPUS, SplitToCome(**values), FLOAT32) == key
    assert teacher_key(recipe, CORPUS, SplitToCome(**values, counts_all=True), FLOAT32) != key


def test_changed_default_gives_new_trainings_a_new_key_and_leaves_stored_ones_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored = teacher_key(make_recipe("cp_mobile"), CORPUS, WHOLE, FLOAT32)
    cp_mobile = type(ARCHITECTURES["cp_mobile"])
    monkeypatch.setattr(cp_mobile, "published", cp_mobile.published | {"weight_decay": 0.5})
    assert teacher_key(make_recipe("cp_mobile"), CORPUS, WHOLE, FLOAT32) != stored
    assert teacher_key(make_recipe("cp_mobile", weight_decay=1e-4), CORPUS, WHOLE, FLOAT32) == stored


@pytest.mark.parametrize("arch", FROZEN)
def test_setting_that_no_table_names_is_off_by_default(arch: str) -> None:
    """Else what was trained before there was the setting would be taken for what it is when switched off."""
    settings = make_recipe(arch).model_dump(mode="json")
    settings["network"].pop("arch")
    for group in ("network", "augmentation", "optimisation"):
        known = FROZEN[arch][group] | LATER.get(group, {})
        unknown = {name: value for name, value in settings[group].items() if name not in known}
        assert differing(unknown, {}) == {}, "add its value of before to LATER"


def test_later_settings_are_no_part_of_the_key_of_another_packages_architecture_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its networks have all settings in their keys, but for those that came later and are as before."""
    source = Source(distribution="package", version="1.0", digest="c0ffee")
    monkeypatch.setattr(ARCHITECTURES["cp_resnet"], "source", source)
    plain = recipe_identity(make_recipe("cp_resnet"))
    assert plain["optimisation"].keys() == FROZEN["cp_resnet"]["optimisation"].keys()
    other = recipe_identity(make_recipe("cp_resnet", optimiser="adamw"))
    assert other["optimisation"] == plain["optimisation"] | {"optimiser": "adamw"}


def test_published_settings_are_no_part_of_a_key_and_others_are() -> None:
    assert recipe_identity(make_recipe("passt")) == {"arch": "passt"}
    assert recipe_identity(make_recipe("cp_mobile", "dir", roll=0, seed=3)) == {
        "arch": "cp_mobile",
        "augmentation": {"roll": 0, "dir_probability": 0.6},
        "seed": 3,
    }


@pytest.mark.parametrize(
    ("settings", "frozen", "expected"),
    [
        ({"a": 0, "b": False, "c": None, "d": "none", "e": [], "f": {}, "g": ""}, {}, {}),
        ({"a": 0}, {"a": 3}, {"a": 0}),
        ({"a": 0}, {"a": None}, {"a": 0}),
        ({"a": {"b": 1, "c": 0}}, {"a": {"b": 1}}, {}),
        ({"a": {"b": 1, "c": 0}}, {"a": {"b": 2}}, {"a": {"b": 1}}),
        ({"a": {"b": 0}}, {}, {"a": {"b": 0}}),
    ],
)
def test_what_differs_is_what_is_not_frozen_and_not_off(settings: dict, frozen: dict, expected: dict) -> None:
    assert differing(settings, frozen) == expected


def test_number_format_and_reference_device_are_part_of_a_key() -> None:
    recipe = make_recipe("cp_mobile", "dir")
    others = [Conditions("float32", RESPONSES, "a"), Conditions("bfloat16", RESPONSES, "b"), Conditions("bfloat16")]
    assert len({teacher_key(recipe, CORPUS, WHOLE, each) for each in [WITH_DIR, *others]}) == 4


@pytest.mark.parametrize(
    ("recipe", "split", "responses", "weights", "key"),
    [
        (make_recipe("cp_mobile"), WHOLE, None, None, "f5d98f8141caa1ce"),
        (
            make_recipe("cp_resnet", "dirfms", base_channels=64, seed=2),
            ValidationSplit(fraction=0.2, hold_out_devices=("s3", "b"), seed=4),
            RESPONSES,
            None,
            "70e66da95a15eec7",
        ),
        (
            make_recipe("passt", "fms", size="xs", epochs=7, mixup_alpha=0.3),
            ValidationSplit(fraction=0.2),
            None,
            None,
            "36ce15b456cf7710",
        ),
        (None, WHOLE, None, "beef" * 8, "d0ba1075a230cd53"),
        (make_recipe("cp_mobile", "dirfms"), WHOLE, None, "beef" * 8, "2dfaa8c13f44f7d5"),
    ],
)
def test_keys_of_the_version_before_are_known(
    recipe: Recipe | None, split: ValidationSplit, responses: str | None, weights: str | None, key: str
) -> None:
    assert key_of_schema_1(recipe, CORPUS, split, responses, weights) == key
    assert key_of_schema_1(to_come(recipe) if recipe else None, CORPUS, split, responses, weights) == key


def test_float32_on_demand_has_the_key_of_a_processor_that_has_nothing_else(
    open_bench: Open, able: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    bank = TeacherBank(bench.tracking)

    def keys() -> tuple[str, str]:
        return bank.key(tiny("dirfms"), bench), student_identity(bench, tiny("dirfms"), None)

    able(False)
    unable = keys()
    able(True)
    with_bfloat16 = keys()
    assert with_bfloat16[0] != unable[0]
    assert with_bfloat16[1] != unable[1]
    monkeypatch.setenv("ASC_PRECISION", "float32")
    assert keys() == unable


def test_reference_device_changes_keys_of_dir_alone(open_bench: Open, corpus_copy: Path) -> None:
    def keys() -> list[str]:
        bench = open_bench(corpus=corpus_copy)
        bank = TeacherBank(bench.tracking)
        return [bank.key(tiny(augment), bench) for augment in ("none", "fms", "dir")]

    before = keys()
    (corpus_copy / REFERENCE_FILE).write_text("a")
    assert keys() == before
    (corpus_copy / REFERENCE_FILE).write_text("b")
    assert [key == was for key, was in zip(keys(), before, strict=True)] == [True, True, False]


def test_run_says_in_which_numbers_it_was_trained_and_so_does_show(
    open_bench: Open, able: Callable[[bool], None], workspace: Path, asc: Callable
) -> None:
    bench = open_bench()
    bank = TeacherBank(bench.tracking)
    trained = []
    for able_to in (False, True):
        able(able_to)
        trained.append(bank.get(tiny("dirfms" if able_to else "none"), bench))
    assert [teacher.number_format for teacher in trained] == ["float32", "bfloat16"]
    assert [teacher.reference_device for teacher in trained] == [None, "a"]
    assert trained[1].record.tags[NUMBER_FORMAT] == "bfloat16"
    shown = json.loads(asc("teacher", "show", trained[1].key, "--workspace", workspace, "--json").out)
    assert (shown["number_format"], shown["reference_device"]) == ("bfloat16", "a")
    assert "number_format" in asc("teacher", "show", trained[0].key, "--workspace", workspace).out


def test_same_recipe_in_other_numbers_is_trained_and_not_taken_from_the_bank(
    open_bench: Open, able: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    able(True)
    bank = TeacherBank(bench.tracking)
    in_bfloat16 = bank.get(tiny(), bench)
    monkeypatch.setenv("ASC_PRECISION", "float32")
    in_float32 = bank.get(tiny(), bench)
    assert (in_bfloat16.number_format, in_float32.number_format) == ("bfloat16", "float32")
    assert in_bfloat16.record.run_id != in_float32.record.run_id


def as_left_by_the_version_before(bench: TrainingContext, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> str:
    """Train a Teacher and have it look as that version left it; its key."""
    responses = bench.responses_for(recipe)
    key = key_of_schema_1(recipe, bench.store.corpus_digest, bench.split, responses.digest if responses else None)
    with monkeypatch.context() as patch:
        patch.setattr("asc_experiments.distill.bank.TeacherBank.key", lambda *_: key)
        patch.setattr("asc_experiments.distill.bank.TeacherBank._say_of_earlier", lambda *_: None)
        patch.setattr("asc_experiments.distill.train.log_conditions", lambda *_: None)
        TeacherBank(bench.tracking).get(recipe, bench)
    return key


def test_teacher_of_the_version_before_is_listed_named_and_trained_again_with_a_word(
    open_bench: Open,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asc: Callable,
) -> None:
    bench = open_bench()
    key = as_left_by_the_version_before(bench, tiny(), monkeypatch)
    bank = TeacherBank(bench.tracking)
    earlier = bank.named(key)
    assert earlier.is_of_earlier_version
    assert earlier.logits.values.shape == (200, 10)
    check_learnable(earlier, bench)
    capsys.readouterr()
    again = bank.get(tiny(), bench)
    assert again.key != key
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "earlier version" in line]
    assert line.startswith(f"teacher {key} cp_mobile-8-none-s0: an earlier version's, which does not say")
    assert "not known" in asc("teacher", "show", key, "--workspace", workspace).out


def test_dir_of_the_version_before_is_refused_where_it_augmented_nothing(
    open_bench: Open, corpus_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench(corpus=corpus_copy)
    key = as_left_by_the_version_before(bench, tiny("dir"), monkeypatch)
    earlier = TeacherBank(bench.tracking).named(key)
    check_learnable(earlier, bench)
    (corpus_copy / REFERENCE_FILE).write_text("b")
    with pytest.raises(AscError, match="is an earlier version's, whose DIR left clips of 'b' as they were; train it"):
        check_learnable(earlier, open_bench(corpus=corpus_copy))


def test_imported_teacher_is_of_no_earlier_version() -> None:
    tags = {IMPORTED: "digest file.pt", HELD_OUT: "{}", "asc.teacher": "0" * 16}
    record = RunRecord("id", "1", "name", "FINISHED", {}, {}, tags, 0)
    assert not Teacher.from_record(record, None).is_of_earlier_version  # type: ignore[arg-type]
