"""An architecture of another package is one file: it is studied, reported, registered, used and exported."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.models.architecture import GROUP
from tests.extending.packages import HERE, install

TEXT = (HERE / "tiny_net.py").read_text()
STUDY = """
name: outside
trials: 2
sampler: grid
validation: {fraction: 0.3}
ensemble: {size: 1, common: {batch_size: 64}, pool: [{arch: tiny_net, channels: [4, 6]}]}
student: {arch: tiny_net, channels: 4, augment: none, batch_size: 64}
"""


class Outside:
    """The program beside another package."""

    def __init__(self, site: Path, workspace: Path, cache: Path) -> None:
        path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.environment = os.environ | {"PYTHONPATH": path, "ASC_WORKSPACE": str(workspace), "ASC_CACHE": str(cache)}

    def run(self, *arguments: object, code: int = 0) -> str:
        """Run the program; what it wrote on standard output, or on standard error where it is to fail."""
        command = [sys.executable, "-m", "asc_experiments", *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr if code else done.stdout

    def python(self, program: str) -> str:
        """What a Python program prints there."""
        command = [sys.executable, "-c", program]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def outside(tmp_path: Path) -> Callable[..., Outside]:
    def make(version: str = "1.2", text: str | None = None, module: str = "tiny_net") -> Outside:
        site = install(tmp_path / f"site of {version}", module, GROUP, version, text)
        return Outside(site, tmp_path / "workspace", tmp_path / "cache")

    return make


@pytest.mark.timeout(600)
def test_it_is_studied_reported_registered_used_and_exported(
    outside: Callable[..., Outside], synth_corpus: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside.yaml").write_text(STUDY)
    here = outside()
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

    without = Outside(tmp_path, tmp_path / "workspace", tmp_path / "cache")
    said = without.run("predict", registered["uri"], recording, code=2)
    assert "architecture 'tiny_net', which is not installed; pip install tiny-net==1.2" in said
    assert "tiny_net-4-none-s0" in without.run("report", "outside", "--format", "md"), "a report needs no network"
    key = json.loads(here.run("teacher", "list", "--json"))[0]["key"]
    assert "is of architecture 'tiny_net', which is not installed" in without.run("teacher", "show", key, code=2)
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
    here = outside()
    for command in (("teacher", "train"), ("teacher", "import")):
        words = " ".join(here.run(*command, "--help").replace("│", " ").split())
        assert "Architecture: cp_mobile, cp_resnet, passt (size: s, xs, xxs), tiny_net." in words


def test_short_name_has_all_sizes(outside: Callable[..., Outside]) -> None:
    text = TEXT.replace('("channels",)', '("channels", "arch")')
    names = 'from asc_experiments.training import make_recipe; print(make_recipe("tiny_net", channels=6).name)'
    assert outside(text=text).python(names) == "tiny_net-6xtiny_net-none-s0"


KEY = """
from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill.keys import teacher_key
from asc_experiments.training import make_recipe
print(teacher_key(make_recipe("tiny_net"), "corpus", ValidationSplit(fraction=0.3)))
"""


def test_its_version_and_its_source_are_part_of_its_keys(outside: Callable[..., Outside]) -> None:
    changed = f"{TEXT}\n# changed\n"
    made = [outside(), outside("1.3"), outside("1.2 ", changed)]
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
    outside: Callable[..., Outside], synth_corpus: Path, text: str, reason: str
) -> None:
    here = outside(text=text)
    train = ("teacher", "train", "--corpus", synth_corpus, "--epochs", 1)
    said = here.run(*train, "--arch", "tiny_net", code=2)
    assert "architecture 'tiny_net' cannot be loaded" in said
    assert reason in said
    assert len(said.splitlines()) == 1
    here.run(*train, "--arch", "cp_mobile", "--set", "base_channels=8")
