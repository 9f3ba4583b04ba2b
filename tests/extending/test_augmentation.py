"""An augmentation of another package is one file: it is trained with, searched over, reported, and part of keys."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.augment.augmentation import GROUP
from tests.extending.conftest import Outside
from tests.extending.packages import text_of

Open = Callable[..., Outside]
HUM, TEXT = {"hum": GROUP}, text_of("hum")


def test_teachers_and_students_are_trained_with_it_by_command(outside: Open, synth_corpus: Path) -> None:
    here = outside(HUM)
    tiny = ("--corpus", synth_corpus, "--epochs", 1, "--set", "base_channels=8", "--set", "batch_size=64")
    here.run("teacher", "train", *tiny, "--arch", "cp_mobile", "--augment", "hum", "--set", "hum_hertz=60")
    (teacher,) = json.loads(here.run("teacher", "list", "--json"))
    assert teacher["name"] == "cp_mobile-8-hum-s0"
    assert "cp_mobile-8-fms+hum" in here.run(
        "student", "train", *tiny, "--teachers", teacher["key"], "--augment", "fms", "--set", "hum_level=0.3"
    )


KEYS = """
from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill.keys import teacher_key
from asc_experiments.training import make_recipe
for augment, settings in [("none", {}), ("none", {"hum_hertz": 60}), ("hum", {}), ("hum", {"hum_hertz": 60})]:
    print(teacher_key(make_recipe("cp_mobile", augment, **settings), "corpus", ValidationSplit(fraction=0.3)))
"""
PLAIN = "\n".join(line for line in KEYS.splitlines() if not line.startswith(("for", "    print"))) + (
    '\nprint(teacher_key(make_recipe("cp_mobile"), "corpus", ValidationSplit(fraction=0.3)))'
)


def test_its_settings_version_and_source_are_part_of_keys_where_it_is_on(outside: Open) -> None:
    made = [outside(HUM), outside(HUM, "1.3"), outside(HUM, "1.2 ", {"hum": f"{TEXT}\n# changed\n"})]
    keys = [each.python(KEYS).split() for each in made]
    for off, off_too, on, changed in keys:
        assert off == off_too == made[0].without_package().python(PLAIN)
        assert len({off, on, changed}) == 3
    assert len({key for each in keys for key in each[2:]}) == 6


MIXED = """
from asc_experiments.base.errors import AscError
from asc_experiments.training import make_recipe
try:
    make_recipe("cp_mobile", "hum", mixup_alpha=0.3)
except AscError as error:
    print(error.line())
"""


def test_two_that_mix_clips_are_refused(outside: Open) -> None:
    mixing = {"hum": TEXT.replace('stage = "waveforms"', 'stage = "mixing"')}
    assert "mixup and hum both mix clips; keep one" in outside(HUM, texts=mixing).python(MIXED)


STORED = """
from asc_experiments.training import Recipe, make_recipe
recipe = make_recipe("cp_mobile", "dirfms+hum")
assert Recipe.model_validate_json(recipe.model_dump_json()) == Recipe.model_validate(recipe.model_dump()) == recipe
assert "hum_level" in recipe.flat() and "hum_level" not in make_recipe("cp_mobile").flat()
assert "sources" not in make_recipe("cp_mobile").model_dump()
print(recipe.name, recipe.sources[0].requirement)
"""


def test_recipe_says_where_it_is_from_and_says_nothing_of_it_where_it_is_off(outside: Open) -> None:
    assert outside(HUM).python(STORED) == "cp_mobile-32-dirfms+hum-s0 hum==1.2"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_like_that", "ModuleNotFoundError: No module named 'nothing_like_that'"),
        ("", "hum registers none"),
        (TEXT.replace('name = "hum"', 'name = "roll"'), "its setting 'hum_level' does not begin with its name"),
        (TEXT.replace('stage = "waveforms"', 'stage = "waveform"'), "did you mean 'waveforms'?"),
        (TEXT.replace("Field(0.0,", "Field(0.1,"), "its first setting 'hum_level' is on by default"),
        (TEXT.replace("Field(50,", "Field("), "its setting 'hum_hertz' has no default"),
        (TEXT.replace('label = "hum"', 'label = "fms"'), "its label 'fms' is taken"),
        (TEXT.replace("switched_on = 0.1", "switched_on = 0.0"), "say which 'hum_level' --augment hum means"),
    ],
    ids=["broken", "empty", "other name", "stage", "on by default", "no default", "label", "no switched_on"],
)
def test_package_that_gives_none_is_named_where_it_is_wanted_and_disturbs_nothing_else(
    outside: Open, text: str, reason: str
) -> None:
    here = outside(HUM, texts={"hum": text})
    asked = ("teacher", "train", "--arch", "cp_mobile", "--corpus", "nowhere")
    said = here.run(*asked, "--augment", "hum", code=2)
    assert "augmentation 'hum' cannot be loaded" in said
    assert reason in said
    assert len(said.splitlines()) == 1
    assert "nowhere" in here.run(*asked, code=2), "which is refused for its corpus alone"
