"""A corpus with real tables and made-up sound: as the tables say at any fraction, and known to be made up."""

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from asc_experiments.base.errors import AscError
from asc_experiments.bench.true_scale import make_corpus
from asc_experiments.corpus import Corpus, prepare
from asc_experiments.corpus.check import check_corpus
from asc_experiments.corpus.impulse_responses import load_impulse_responses
from asc_experiments.corpus.made_up_sound import SCENES

HEADER = ["filename\tscene_label"]
DEVICES = ("a", "a", "a", "b", "s1", "s4")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables in the form of TAU22's: six recordings of two clips per scene and fold, those of s4 tested alone."""
    folder = tmp_path_factory.mktemp("tables")
    meta, train, test = ["filename\tscene_label\tidentifier\tsource_label"], [*HEADER], [*HEADER]
    for scene, fold, (number, device), second in itertools.product(SCENES, (0, 1), enumerate(DEVICES), (0, 1)):
        place = f"lyon-{2 * SCENES.index(scene) + fold}"
        name = f"audio/{scene}-{place}-{number}-{second}-{device}.wav"
        meta.append(f"{name}\t{scene}\t{place}\t{device}")
        if fold or device != "s4":
            (test if fold else train).append(f"{name}\t{scene}")
    for name, rows in {
        "meta": meta,
        "fold1_train": train,
        "fold1_evaluate": test,
        "dcase24_split50": HEADER + train[1::2],
    }.items():
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_whole_corpus_is_as_the_tables_say_and_its_clips_have_24_bits(tables: Path, tmp_path: Path) -> None:
    made = make_corpus(tables, tmp_path / "corpus")
    facts, problems = check_corpus(tmp_path / "corpus", Path("split50.csv"), deep=True)
    assert not problems
    assert (made.rows, made.sounds, made.lists) == (240, 220, {"split50": 50})
    assert (facts["clips"], facts["training_clips"], facts["test_clips"]) == (240, 100, 120)
    assert facts["listed_clips"] == 50
    corpus = Corpus.open(tmp_path / "corpus")
    info = soundfile.info(corpus.root / corpus.filenames[0])
    assert (info.subtype, info.samplerate, info.channels, info.frames) == ("PCM_24", 44_100, 1, 44_100)
    assert corpus.is_synthetic, "runs say that its sound was made up"
    responses, longest = load_impulse_responses(corpus.root / "dirs").responses.shape
    assert responses == 66
    assert 0.4 * 32_000 < longest <= 0.5 * 32_000, "as long as MicIRP's"


def test_fraction_takes_whole_recordings_of_every_scene_in_the_devices_proportions(
    tables: Path, tmp_path: Path
) -> None:
    make_corpus(tables, tmp_path / "corpus", fraction=0.5)
    corpus = Corpus.open(tmp_path / "corpus")
    assert set(Counter(clip.recording + clip.location + clip.device for clip in corpus.clips).values()) == {2}
    assert set(Counter(corpus.labels[corpus.test_rows].tolist()).values()) == {6}
    of_device = Counter(corpus.device_of[corpus.test_rows].tolist())
    assert 26 <= of_device["a"] <= 34, "half of the test clips"
    assert set(of_device) == set(DEVICES)


def test_seed_decides_what_is_taken_and_every_sample(tables: Path, tmp_path: Path) -> None:
    digests = []
    for number, seed in enumerate((0, 0, 1)):
        make_corpus(tables, tmp_path / f"{number}", 0.5, seed)
        digests.append(prepare(Corpus.open(tmp_path / f"{number}"), tmp_path / "cache").corpus_digest)
    assert digests[0] == digests[1] != digests[2]


def test_too_small_a_fraction_names_the_scene_that_is_lost(tables: Path, tmp_path: Path) -> None:
    with pytest.raises(AscError, match=r"--fraction 0\.01: leaves no (training|test) clip of"):
        make_corpus(tables, tmp_path / "corpus", 0.01)
    assert not list(tmp_path.iterdir())


def test_missing_table_is_named(tables: Path, tmp_path: Path, asc: Callable) -> None:
    (tmp_path / "meta.csv").write_text((tables / "meta.csv").read_text())
    done = asc("bench", "corpus", tmp_path, tmp_path / "corpus")
    assert done.code == 2
    assert "no table is called fold1_train.csv" in done.err
    assert not (tmp_path / "corpus").exists()


def test_one_percent_of_the_true_tables(shared: Path, tmp_path: Path) -> None:
    made = make_corpus(shared / "data" / "tau22-tables", tmp_path / "corpus", 0.01)
    facts, problems = check_corpus(tmp_path / "corpus", Path("split25.csv"))
    assert not problems
    assert (facts["training_clips"], facts["test_clips"], facts["listed_clips"]) == (1410, 300, made.lists["split25"])
    assert len(facts["devices"]) == 9
