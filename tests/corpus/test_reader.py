"""What a reader says of its clips: checked whatever the layout, and part of the corpus digest."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asc_experiments.base.errors import AscError, Problem
from asc_experiments.corpus import Clip, Corpus, CorpusReader
from asc_experiments.corpus import reader as door
from asc_experiments.corpus.index import read_index
from asc_experiments.corpus.store import corpus_digest

CLIPS = [
    Clip("lyon/1.flac", "bus", "lyon-1", "a", "train", "first", 0),
    Clip("lyon/2.flac", "bus", "lyon-1", "a", "train", "first", 1),
    Clip("nice/3.flac", "bus", "nice-1", "a", "", "", 0),
    Clip("nice/4.flac", "bus", "nice-1", "b", "test", "second", 0),
]


class ListReader(CorpusReader):
    """Says what a test wants to have said."""

    name, layout, table = "list", "a file that is called list", "list"
    clips: Any = CLIPS

    def claims(self, root: Path) -> bool:
        return (root / "list").exists()

    def read(self, root: Path, problems: list[Problem]) -> Iterable[Clip]:
        if isinstance(self.clips, Exception):
            raise self.clips
        return list(self.clips)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> ListReader:
    made = ListReader()
    monkeypatch.setitem(door.corpus_readers(), "list", made)
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "list").touch()
    return tmp_path


def test_training_clips_come_first_and_each_knows_its_row_among_all(reader: ListReader, root: Path) -> None:
    reader.clips = [CLIPS[3], CLIPS[2], CLIPS[0], CLIPS[1]]
    corpus = Corpus.open(root)
    assert corpus.filenames == ("lyon/1.flac", "lyon/2.flac", "nice/4.flac")
    assert (corpus.n_train, corpus.n_meta, corpus.meta_rows.tolist()) == (2, 4, [2, 3, 0])


CHANGES = {
    "scene": {"scene": "tram"},
    "place": {"place": "lyon-2"},
    "device": {"device": "c"},
    "fold": {"fold": ""},
    "recording": {"recording": "third"},
    "position": {"position": 7},
    "file": {"filename": "lyon/5.flac"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_a_reader_says_of_a_clip_is_part_of_the_digest(
    reader: ListReader, root: Path, change: dict[str, Any]
) -> None:
    def digest() -> str:
        corpus = Corpus.open(root)
        return corpus_digest(corpus, [clip.filename[-6:] for clip in corpus.clips])

    before = digest()
    assert digest() == before
    reader.clips = [CLIPS[0], replace(CLIPS[1], **change), *CLIPS[2:]]
    assert digest() != before


def test_digest_of_a_corpus_in_the_tau_layout_is_what_it_was(tmp_path: Path) -> None:
    (tmp_path / "evaluation_setup").mkdir()
    trained, tested = "audio/bus-lyon-1-7-0-a.wav\tbus", "audio/bus-nice-2-9-3-s4.wav\tbus"
    head = "filename\tscene_label"
    (tmp_path / "meta.csv").write_text(
        f"{head}\tidentifier\tsource_label\n{trained}\tlyon-1\ta\n{tested}\tnice-2\ts4\n"
    )
    (tmp_path / "evaluation_setup" / "fold1_train.csv").write_text(f"{head}\n{trained}\n")
    (tmp_path / "evaluation_setup" / "fold1_evaluate.csv").write_text(f"{head}\n{tested}\n")
    corpus = Corpus.open(tmp_path)
    assert [(clip.recording, clip.position) for clip in corpus.clips] == [("audio/7", 0), ("audio/9", 3)]
    assert corpus_digest(corpus, ["one", "two"]) == "0e12bd5b2c2cfc598b55560bc4ef18b7"


WRONG = {
    "another fold": (replace(CLIPS[0], fold="training"), "1 clips are not fully described"),
    "no place": (replace(CLIPS[0], place=""), "1 clips are not fully described"),
    "no text": (replace(CLIPS[0], device=3), "1 clips are not fully described"),
    "no clip": ({"file": "lyon/1.flac"}, "1 clips are not fully described"),
    "outside": (replace(CLIPS[0], filename="../1.flac"), "leaves the corpus folder"),
    "twice": (CLIPS[1], "lyon/2.flac stands 2 times"),
    "no name": (replace(CLIPS[0], device="a/b"), "device 'a/b' is no name"),
}


@pytest.mark.parametrize(("clip", "what"), WRONG.values(), ids=WRONG)
def test_mistake_of_a_reader_is_a_problem_in_its_table(reader: ListReader, root: Path, clip: Any, what: str) -> None:
    reader.clips = [clip, *CLIPS[1:]]
    _, problems = read_index(root)
    assert [(problem.where, what in problem.what) for problem in problems] == [("list", True)]
    assert len(problems[0].line()) < 400


@pytest.mark.parametrize(("fold", "missing"), [("train", "test"), ("test", "training")])
def test_fold_without_clips_is_a_problem(reader: ListReader, root: Path, fold: str, missing: str) -> None:
    reader.clips = [clip for clip in CLIPS if clip.fold == fold]
    _, problems = read_index(root)
    assert len(problems) == 1
    assert missing in problems[0].what


@pytest.mark.parametrize("error", [AscError("list", "is broken", "mend it"), OSError("is broken")])
def test_table_that_a_reader_cannot_read_is_one_line(reader: ListReader, root: Path, error: Exception) -> None:
    reader.clips = error
    with pytest.raises(AscError, match=r"^list: .*is broken") as caught:
        Corpus.open(root)
    assert len(caught.value.line().splitlines()) == 1
