"""A distillation loss of another package is one file: students learn by it, it is searched for, and part of keys."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.training.losses.loss import GROUP
from tests.extending.conftest import Outside
from tests.extending.packages import text_of

Open = Callable[..., Outside]
MSE, TEXT = {"soft_mse": GROUP}, text_of("soft_mse")
STUDY = """
name: outside
trials: 1
validation: {fraction: 0.3}
ensemble: {size: 1, pool: [{arch: cp_mobile}]}
distillation: {loss: soft_mse, mse_labels: 0.2}
"""


def test_student_learns_by_it_by_command(outside: Open, synth_corpus: Path) -> None:
    here = outside(MSE)
    tiny = ("--corpus", synth_corpus, "--epochs", 1, "--set", "base_channels=8", "--set", "batch_size=64")
    here.run("teacher", "train", *tiny, "--arch", "cp_mobile", "--augment", "none")
    (teacher,) = json.loads(here.run("teacher", "list", "--json"))
    learning = ("student", "train", *tiny, "--augment", "none", "--teachers", teacher["key"], "--json")
    by_it = json.loads(here.run(*learning, "--set", "loss=soft_mse", "--set", "mse_labels=0.3"))
    published = json.loads(here.run(*learning))
    assert by_it["metrics"]["loss/overall"] != published["metrics"]["loss/overall"]
    said = here.without_package().run(*learning, "--set", "loss=soft_mse", code=2)
    assert "distillation: unknown loss 'soft_mse'; valid: features, kl, or install the package" in said
    assert "loss 'kl' has no 'mse_labels'; remove it, or set loss to soft_mse" in here.run(
        *learning, "--set", "mse_labels=0.3", code=2
    )


KEYS = """
from asc_experiments.base.hashing import digest_json
from asc_experiments.training.losses import parse_loss
for values in ({}, {"loss": "soft_mse"}, {"loss": "soft_mse", "mse_labels": 0.2}):
    print(digest_json(parse_loss(values, "test").identity()))
"""
PUBLISHED = KEYS.replace(', {"loss": "soft_mse"}, {"loss": "soft_mse", "mse_labels": 0.2}', ",")


def test_its_settings_version_and_source_are_part_of_keys_where_it_is_chosen(outside: Open) -> None:
    made = [outside(MSE), outside(MSE, "1.3"), outside(MSE, "1.2 ", {"soft_mse": f"{TEXT}\n# changed\n"})]
    keys = [each.python(KEYS).split() for each in made]
    assert {each[0] for each in keys} == {made[0].without_package().python(PUBLISHED)}
    assert len({key for each in keys for key in each[1:]}) == 6


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_like_that", "ModuleNotFoundError: No module named 'nothing_like_that'"),
        ("", "soft_mse registers none"),
        (TEXT.replace('name = "soft_mse"', ""), "has no 'name'"),
        (TEXT.replace("Field(0.1, ", "Field("), "its setting 'mse_labels' has no default"),
        (
            TEXT.replace("mse_labels", "learning_rate"),
            "its setting 'learning_rate' has the name of a setting of Recipes",
        ),
    ],
    ids=["broken", "empty", "no name", "no default", "taken"],
)
def test_package_that_gives_none_is_named_where_it_is_wanted(
    outside: Open, synth_corpus: Path, tmp_path: Path, text: str, reason: str
) -> None:
    (tmp_path / "outside.yaml").write_text(STUDY)
    here = outside(MSE, texts={"soft_mse": text})
    said = here.run("study", "run", tmp_path / "outside.yaml", "--corpus", synth_corpus, code=2)
    assert "loss 'soft_mse' cannot be loaded" in said
    assert reason in said
    assert len(said.splitlines()) == 1
