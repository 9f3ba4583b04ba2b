"""Clips by columns are the clips that they were made of."""

import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_experiments.base.errors import Problem
from asc_experiments.base.hashing import JoinedChecksum
from asc_experiments.corpus.clips import Clips, Column
from asc_experiments.corpus.index import _PLAIN_PATH, _are_plain
from asc_experiments.corpus.reader import Clip
from asc_experiments.corpus.readers.tau import recording_of
from asc_experiments.corpus.tables import read_columns, read_table

TEXTS = st.lists(st.sampled_from(["bus", "tram", "a", "", "é", "park/cafe"]), max_size=12)
CLIPS = [
    Clip("audio/bus-lyon-1-5-0-a.wav", "bus", "lyon-1", "a", "train", "audio/5", 0),
    Clip("audio/bus-lyon-1-5-1-a.wav", "bus", "lyon-1", "a", "test", "audio/5", 1),
    Clip("x.wav", "tram", "nice-2", "s1", ""),
    Clip("audio/bus-lyon-1-5-0-b.wav", "bus", "lyon-1", "b", "train", "audio/5", 0),
]


@given(TEXTS)
def test_column_holds_each_text_once_and_gives_every_row(texts: list[str]) -> None:
    column = Column.of(texts)
    assert column.texts() == texts == column.array().tolist()
    assert column.names == tuple(sorted(set(texts)))
    assert dict(zip(column.names, column.counts().tolist(), strict=True)) == {text: texts.count(text) for text in texts}
    assert column.has("bus").tolist() == [text == "bus" for text in texts]


@given(TEXTS, st.data())
def test_part_of_a_column_names_only_what_stands_in_it(texts: list[str], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=9)) if texts else []
    assert Column.of(texts).take(np.array(rows, dtype=np.int64)) == Column.of(texts[row] for row in rows)


@pytest.mark.parametrize("tells", [False, True])
def test_clips_are_what_they_were_made_of(tells: bool) -> None:
    clips = Clips.of(CLIPS)
    if tells:  # as the reader of TAU's layout makes them
        clips = Clips(clips.filenames, clips.scenes, clips.places, clips.devices, clips.folds, recording_of)
    assert list(clips) == CLIPS
    assert clips == tuple(CLIPS)
    assert [clips[row] for row in range(-4, 4)] == [*CLIPS, *CLIPS]
    assert list(clips[1:3]) == CLIPS[1:3]
    assert list(clips.take(np.array([3, 0]))) == [CLIPS[3], CLIPS[0]]
    assert clips.locations.texts() == [clip.location for clip in CLIPS]
    assert clips != CLIPS[1:]


def test_scene_and_place_that_join_to_one_name_are_one_location() -> None:
    clips = Clips.of([Clip("1.wav", "a/b", "c", "x"), Clip("2.wav", "a", "b/c", "x")])
    assert clips.locations.texts() == ["a/b/c", "a/b/c"]


@given(st.lists(st.text(alphabet="aZ0_-./\n\\é ", max_size=6), max_size=4))
def test_names_are_plain_together_when_each_is(names: list[str]) -> None:
    assert _are_plain(names) == all(_PLAIN_PATH.fullmatch(name) and not name.endswith("\n") for name in names)


CELLS = st.text(alphabet='ab"\t\n\r\0é ', max_size=4)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=1, max_size=3).map("\t".join), max_size=5), st.sampled_from(["\n", "\r\n"]))
def test_table_by_columns_is_the_table_by_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str], end: str
) -> None:
    folder = tmp_path_factory.mktemp("table")
    (folder / "t.csv").write_bytes(end.join(["one\ttwo", *rows]).encode())
    told: tuple[list[Problem], list[Problem]] = ([], [])
    expected = read_table(folder, "t.csv", ("one", "two"), told[0])
    found = read_columns(folder, "t.csv", ("one", "two"), told[1])
    assert told[0] == told[1]
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert list(zip(found[0], found[1][0].texts(), strict=True)) == [(row["one"], row["two"]) for row in expected]


def test_long_table_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asc_experiments.corpus.tables._PIECE", 100)
    rows = [(f"clip {row}", f"scene {row % 3}") for row in range(500)]
    (tmp_path / "t.csv").write_text("one\ttwo\n" + "".join(f"{one}\t{two}\n" for one, two in rows))
    found = read_columns(tmp_path, "t.csv", ("one", "two"), [])
    assert found is not None
    assert list(zip(found[0], found[1][0].texts(), strict=True)) == rows


@given(st.integers(1, 9), st.data())
def test_checksum_of_pieces_is_that_of_the_whole(length: int, data: st.DataObject) -> None:
    pieces = data.draw(st.lists(st.binary(min_size=length, max_size=length), max_size=5))
    joined = JoinedChecksum(length)
    for piece in pieces:
        joined.add(zlib.crc32(piece))
    assert joined.value == zlib.crc32(b"".join(pieces))
