"""An architecture of another package is one file: it is studied, reported, registered, used and exported."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.models.architecture import GROUP
from tests.extending.conftest import Outside
from tests.extending.packages import text_of

TEXT = text_of("tiny_net")
STUDY = """
name: outside
trials: 2
sampler: grid
validation: {fraction: 0.3}
ensemble: {size: 1, common: {batch_size: 64}, pool: [{arch: tiny_net, channels: [4, 6]}]}
student: {arch: tiny_net, channels: 4, augment: none, batch_size: 64}
"""


Open = Callable[..., Outside]
TINY_NET = {"tiny_net": GROUP}


@pytest.mark.timeout(600)
def test_it_is_studied_reported_registered_used_and_exported(outside: Open, synth_corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text(STUDY)
    here = outside(TINY_NET)
    here.run("study", "run", tmp_path / "outside.yaml", "--corpus", synth_corpus, "--workers", 2)
    report = here.run("report", "outside", "--format", "md")
    assert "tiny_net-4-none-s0" in report
    assert "tiny_net-6-none-s0" in report
    registered = json.loads(here.run("register", "outside", "--allow-chance", "--json"))
    recording = next((synth_corpus / "audio").glob("*.wav"))
    answer = json.loads(here.run("predict", registered["uri"], recording, "--json"))
    assert abs(sum(answer["distribution"].values()) - 1) < 1e-3
    here.run("export", registered["uri"], "-o", tmp_path / "student.onnx")
    assert (tmp_path / "student.onnx").stat().st_size > 1_000
    assert "--int8" in here.run("export", registered["uri"], "--int8", "--corpus", synth_corpus, "-o", "x", code=2)

    (requirements,) = {path.read_text() for path in (tmp_path / "workspace").rglob("requirements.txt")}
    assert "tiny-net==1.2" in requirements.splitlines()

    without = here.without_package()
    said = without.run("predict", registered["uri"], recording, code=2)
    assert "needs architecture 'tiny_net', which is not installed; pip install tiny-net==1.2" in said
    assert "tiny_net-4-none-s0" in without.run("report", "outside", "--format", "md"), "a report needs no network"
    key = json.loads(here.run("teacher", "list", "--json"))[0]["key"]
    said = without.run("teacher", "show", key, code=2)
    assert "is of architecture 'tiny_net', which is not installed; pip install tiny-net==1.2" in said
    pruned = without.run("teacher", "prune", key)
    assert "none-s0 (tiny_net is not installed)" in pruned
    assert "1 of 1 teachers would go" in pruned
    listed = without.run("teacher", "list")
    assert key in listed
    assert "tiny_net-4-none-s0 (tiny_net is not installed)" in listed
    assert json.loads(without.run("teacher", "list", "--json"))[0]["architecture_not_installed"] == "tiny_net"
    again = without.run("study", "run", tmp_path / "outside.yaml", "--corpus", synth_corpus, code=2)
    where = tmp_path / "outside.yaml"
    missing = "architecture 'tiny_net' is not installed; pip install tiny-net==1.2"
    assert again.splitlines() == [
        f"error: {where}: ensemble.pool, tiny_net: {missing}",
        f"error: {where}: student: {missing}",
    ], "the study that was begun knows which package it is"
    elsewhere = Outside(tmp_path, tmp_path / "empty", tmp_path / "cache")
    said = elsewhere.run("study", "run", where, "--corpus", synth_corpus, code=2)
    assert "unknown architecture 'tiny_net'" in said
    assert "install the package that it is from" in said
    assert not (tmp_path / "empty").exists()


def test_help_names_the_architectures_that_are_installed(outside: Callable[..., Outside]) -> None:
    here = outside(TINY_NET)
    for command in (("teacher", "train"), ("teacher", "import")):
        words = " ".join(here.run(*command, "--help").replace("│", " ").split())
        assert "Architecture: cp_mobile, cp_mobile_2024, cp_resnet, passt (size: s, xs, xxs), tiny_net." in words


def test_short_name_has_all_sizes(outside: Callable[..., Outside]) -> None:
    text = TEXT.replace('("channels",)', '("channels", "arch")')
    names = 'from asc_experiments.training import make_recipe; print(make_recipe("tiny_net", channels=6).name)'
    assert outside(TINY_NET, texts={"tiny_net": text}).python(names) == "tiny_net-6xtiny_net-none-s0"


KEY = """
from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill.keys import teacher_key
from asc_experiments.training import make_recipe
print(teacher_key(make_recipe("tiny_net"), "corpus", ValidationSplit(fraction=0.3)))
"""


def test_its_version_and_its_source_are_part_of_its_keys(outside: Callable[..., Outside]) -> None:
    changed = f"{TEXT}\n# changed\n"
    made = [outside(TINY_NET), outside(TINY_NET, "1.3"), outside(TINY_NET, "1.2 ", {"tiny_net": changed})]
    keys = [each.python(KEY) for each in made]
    assert len(set(keys)) == 3
    assert made[0].python(KEY) == keys[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_like_that", "ModuleNotFoundError: No module named 'nothing_like_that'"),
        ("", "tiny_net registers none"),
        (TEXT.replace('"tiny_net"', '"passt"'), "is there already"),
        (TEXT.replace('Literal["tiny_net"]', "str"), "write arch: Literal['tiny_net'] = 'tiny_net'"),
        (TEXT.replace('("channels",)', '("chanels",)'), "did you mean 'channels'?"),
    ],
    ids=["broken", "empty", "name is taken", "arch is any text", "size is no setting"],
)
def test_package_that_gives_none_is_named_where_it_is_wanted_and_disturbs_nothing_else(
    outside: Open, synth_corpus: Path, text: str, reason: str
) -> None:
    here = outside(TINY_NET, texts={"tiny_net": text})
    train = ("teacher", "train", "--corpus", synth_corpus, "--epochs", 1)
    said = here.run(*train, "--arch", "tiny_net", code=2)
    assert "architecture 'tiny_net' cannot be loaded" in said
    assert reason in said
    assert len(said.splitlines()) == 1
    here.run(*train, "--arch", "cp_mobile", "--set", "base_channels=8")
