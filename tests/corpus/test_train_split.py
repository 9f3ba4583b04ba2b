"""Lists of training clips: read from anywhere, named after their file, told by what they list."""

import lzma
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import Corpus
from asc_experiments.corpus.readers.tau import META, TEST_FOLD, TRAIN_FOLD
from asc_experiments.corpus.synth import PERCENTS, SCENES
from asc_experiments.corpus.train_split import read_train_split, train_split_name

HEAD = "filename\tscene_label\n"


@pytest.fixture
def corpus(synth_corpus: Path) -> Corpus:
    return Corpus.open(synth_corpus)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a list of clips."""

    def make(clips: list[tuple[str, str]], name: str = "mine.csv", end: str = "\n") -> Path:
        path = tmp_path / name
        path.write_text(HEAD + "".join(f"{file}\t{scene}\n" for file, scene in clips), newline=end)
        return path

    return make


def training(corpus: Corpus) -> list[tuple[str, str]]:
    return [(clip.filename, clip.scene) for clip in corpus.clips[: corpus.n_train]]


def test_listed_clips_are_those_of_the_file(corpus: Corpus, write: Callable[..., Path]) -> None:
    found = read_train_split(write(training(corpus)[3:90:4]), corpus)
    assert (found.name, found.clips) == ("mine", 22)
    assert found.of(corpus.train_rows).tolist() == list(range(3, 90, 4))
    assert found.of(np.array([0, 7, 11, 129])).tolist() == [7, 11]


def test_digest_is_of_the_clips_and_not_of_name_order_or_line_ends(corpus: Corpus, write: Callable[..., Path]) -> None:
    clips = training(corpus)[:40]
    first = read_train_split(write(clips), corpus)
    again = read_train_split(write(clips[::-1], "other.csv", "\r\n"), corpus)
    assert (again.digest, again.listed, again.name) == (first.digest, first.listed, "other")
    assert read_train_split(write(clips[:39]), corpus).digest != first.digest


def test_list_of_the_whole_fold_has_no_digest(corpus: Corpus, write: Callable[..., Path]) -> None:
    assert read_train_split(write(training(corpus)), corpus).digest is None


def test_list_is_found_in_the_corpus_too(corpus: Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_train_split("split25.csv", corpus).name == "split25"


def test_synthetic_lists_are_part_of_each_other_and_have_every_scene_at_two_places(corpus: Corpus) -> None:
    before: set[int] = set()
    for percent in PERCENTS:
        rows = read_train_split(f"split{percent}.csv", corpus).of(corpus.train_rows).tolist()
        assert before <= set(rows)
        before = set(rows)
        places = Counter(corpus.clips[row].scene for row in {corpus.clips[row].location: row for row in rows}.values())
        assert set(places) == set(SCENES)
        assert min(places.values()) >= 2
    assert len(before) == corpus.n_train


def test_lists_of_the_challenge_are_read(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "tau22-tables"
    tables = {META: "tau22_meta", TRAIN_FOLD: "tau22_fold1_train", TEST_FOLD: "tau22_fold1_evaluate_lf"}
    tables |= {f"evaluation_setup/split{percent}.csv": f"dcase24_split{percent}" for percent in (5, 25)}
    (tmp_path / "evaluation_setup").mkdir()
    for name, packed in tables.items():
        (tmp_path / name).write_bytes(lzma.decompress((folder / f"{packed}.csv.xz").read_bytes()))
    corpus = Corpus.open(tmp_path)
    assert [read_train_split(f"split{percent}.csv", corpus).clips for percent in (5, 25)] == [6_980, 34_900]


def test_list_that_does_not_belong_to_the_corpus_is_one_line(corpus: Corpus, write: Callable[..., Path]) -> None:
    clips = training(corpus)
    tested = corpus.clips[-1]
    wrong = {
        "1 of its 3 clips are not in the training fold": [*clips[:2], ("audio/x.wav", "bus")],
        f"such as {tested.filename}": [*clips[:2], (tested.filename, tested.scene)],
        "all its 2 clips are not in the training fold": [("audio/x.wav", "bus"), ("audio/y.wav", "bus")],
        "is 'tram' here and 'airport' in the corpus": [(clips[0][0], "tram")],
        "stands 2 times": [clips[0], clips[0]],
        "has no rows": [],
    }
    for what, listed in wrong.items():
        with pytest.raises(AscError) as caught:
            read_train_split(write(listed), corpus)
        assert what in caught.value.line()
        assert "mine.csv" in caught.value.line()
        assert len(caught.value.line().splitlines()) == 1


def test_list_that_is_none_is_one_line(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(AscError, match=r"nowhere\.csv: no such list"):
        read_train_split("nowhere.csv", corpus)
    (tmp_path / "columns.csv").write_text("filename\naudio/x.wav\n")
    with pytest.raises(AscError, match="column scene_label is missing"):
        read_train_split(tmp_path / "columns.csv", corpus)


@pytest.mark.parametrize("name", ["none.csv", "a b.csv", "x" * 41, "é.csv", ".csv"])
def test_name_that_cannot_be_a_label_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name for a training list"):
        train_split_name(name)
