"""A corpus layout of another package is one file: what is in it is checked, studied, reported and registered."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.corpus import Corpus
from asc_experiments.corpus.reader import GROUP
from tests.extending.packages import HERE, install
from tests.extending.test_architecture import Outside

TEXT = (HERE / "city_folders.py").read_text()
STUDY = """
name: foreign
trials: 1
validation: {fraction: 0.3}
ensemble: {size: 1, common: {batch_size: 64, epochs: 2}, pool: [{arch: cp_mobile, base_channels: 8}]}
student: {base_channels: 8, augment: none, batch_size: 64, epochs: 2}
"""


def move_into_city_folders(tau: Path, folder: Path) -> Path:
    """The clips of a corpus in the TAU layout, in another one."""
    described = []
    for number, clip in enumerate(Corpus.open(tau).clips):
        city = clip.place.rpartition("-")[0]
        file = f"{city}/{number:04d}.wav"
        (folder / city).mkdir(parents=True, exist_ok=True)
        shutil.copy(tau / clip.filename, folder / file)
        described.append(
            {
                "file": file,
                "scene": clip.scene,
                "place": clip.place,
                "phone": clip.device,
                "fold": clip.fold,
                "take": clip.recording,
                "second": clip.position,
            }
        )
    (folder / "clips.json").write_text(json.dumps(described))
    return folder


@pytest.fixture(scope="module")
def foreign(synth_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus in the layout of the other package; not to be changed."""
    return move_into_city_folders(synth_corpus, tmp_path_factory.mktemp("foreign") / "corpus")


@pytest.fixture
def outside(tmp_path: Path) -> Callable[..., Outside]:
    def make(text: str | None = None, name: str = "city_folders") -> Outside:
        texts = {} if text is None else {name: text}
        site = install(tmp_path / "site", {name: GROUP}, texts=texts)
        return Outside(site, tmp_path / "workspace", tmp_path / "cache")

    return make


@pytest.mark.timeout(600)
def test_it_is_checked_studied_reported_and_registered(
    outside: Callable[..., Outside], foreign: Path, tmp_path: Path
) -> None:
    here = outside()
    facts = json.loads(here.run("corpus", "check", foreign, "--json"))
    assert (facts["training_clips"], facts["test_clips"], len(facts["devices"])) == (130, 70, 9)
    (tmp_path / "foreign.yaml").write_text(STUDY)
    here.run("study", "run", tmp_path / "foreign.yaml", "--corpus", foreign, "--workers", 2)
    assert "cp_mobile-8-none-s0" in here.run("report", "foreign", "--format", "md")
    registered = json.loads(here.run("register", "foreign", "--allow-chance", "--json"))
    recording = next(foreign.rglob("*.wav"))
    assert len(json.loads(here.run("predict", registered["uri"], recording, "--json"))["distribution"]) == 10


def test_without_its_package_a_folder_is_in_no_known_layout(foreign: Path, tmp_path: Path) -> None:
    said = Outside(tmp_path, tmp_path / "workspace", tmp_path / "cache").run("corpus", "check", foreign, code=2)
    assert "is in the layout of no corpus reader" in said
    assert "tau: meta.csv, evaluation_setup/fold1_train.csv" in said


def test_mistakes_are_named_with_the_file_of_the_layout(
    outside: Callable[..., Outside], foreign: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(foreign, tmp_path / "copy"))
    described = json.loads((copy / "clips.json").read_text())
    del described[0]["phone"]
    described[1]["scene"] = "a//b"
    (copy / "clips.json").write_text(json.dumps(described))
    said = outside().run("corpus", "prepare", copy, code=2)
    assert said.startswith("error: clips.json: scene 'a//b' is no name; ")
    assert "(and 1 more: asc corpus check" in said
    assert len(said.splitlines()) == 1


def test_folder_that_two_readers_claim_is_refused(outside: Callable[..., Outside], corpus_copy: Path) -> None:
    (corpus_copy / "clips.json").write_text("[]")
    said = outside().run("corpus", "prepare", corpus_copy, code=2)
    assert "is claimed by the corpus readers 'tau' and 'city_folders'" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_like_that", "ModuleNotFoundError: No module named 'nothing_like_that'"),
        ("", "city_folders registers none"),
        (TEXT.replace('"city_folders"', '"tau"'), "is there already"),
        (TEXT.replace("    table =", "    other ="), "has no 'table'"),
        (TEXT.replace("return (root", "return 1 / 0 or (root"), "ZeroDivisionError"),
    ],
    ids=["broken", "empty", "name is taken", "says too little", "fails on the folder"],
)
def test_package_that_gives_none_is_named_where_a_folder_is_unknown_and_disturbs_nothing_else(
    outside: Callable[..., Outside], foreign: Path, synth_corpus: Path, text: str, reason: str
) -> None:
    here = outside(text)
    said = here.run("corpus", "prepare", foreign, code=2)
    assert "corpus reader 'city_folders' cannot be used: " in said
    assert reason in said
    assert len(said.splitlines()) == 1
    here.run("corpus", "prepare", synth_corpus)


def test_its_recordings_are_imported_as_shorter_clips(
    outside: Callable[..., Outside], foreign: Path, tmp_path: Path
) -> None:
    words = ("corpus", "import", foreign, tmp_path / "corpus", "--clip", "0.5", "--json")
    facts = json.loads(outside().run(*words, "--layout", "city_folders"))
    assert facts["folds"] == {"training": 260, "test": 140}
    assert len(Corpus.open(tmp_path / "corpus").devices) == 9
