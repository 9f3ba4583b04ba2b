"""The index of a corpus: what is read, and every problem at once."""

import json
import lzma
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asc_experiments.base.errors import ProblemsError
from asc_experiments.corpus import Corpus
from asc_experiments.corpus.index import REFERENCE_FILE, read_index
from asc_experiments.corpus.reader import Clip
from asc_experiments.corpus.readers.tau import META, TEST_FOLD, TRAIN_FOLD


def test_scenes_devices_and_fold_come_from_the_files(synth_corpus: Path) -> None:
    corpus = Corpus.open(synth_corpus)
    assert len(corpus.clips) == 200
    assert corpus.n_train == 130
    assert corpus.scenes[0] == "airport"
    assert corpus.devices == ("a", "b", "c", "s1", "s2", "s3", "s4", "s5", "s6")
    assert [corpus.scenes[label] for label in corpus.labels[:2]] == [clip.scene for clip in corpus.clips[:2]]


def test_device_groups_follow_the_training_fold(synth_corpus: Path) -> None:
    corpus = Corpus.open(synth_corpus)
    groups = corpus.device_groups()
    assert [device for device, group in groups.items() if group == "unseen"] == ["s4", "s5", "s6"]
    assert [device for device, group in groups.items() if group == "real"] == ["a", "b", "c"]
    without_s3 = corpus.train_rows[corpus.device_of[corpus.train_rows] != "s3"]
    assert corpus.device_groups(without_s3)["s3"] == "held_out"


def test_real_recordings_are_read(shared: Path) -> None:
    corpus = Corpus.open(shared / "data" / "field-recordings")
    assert (corpus.n_train, len(corpus.clips) - corpus.n_train, len(corpus.scenes)) == (650, 540, 10)


def recorded(*devices: str, tested: str = "z") -> Corpus:
    clips = [Clip(f"audio/{number}.wav", "bus", "here", device) for number, device in enumerate(devices)]
    test = [Clip(f"audio/test-{number}.wav", "bus", "there", tested) for number in range(len(devices) + 1)]
    return Corpus(Path("somewhere"), (*clips, *test), len(clips))


def test_reference_device_is_the_one_that_most_training_clips_are_from_whatever_its_name() -> None:
    assert recorded("a", "phone", "phone").reference_device == "phone"
    assert recorded("s1", "a", "a", "b").reference_device == "a"


def test_reference_device_of_equals_is_the_first_by_name() -> None:
    assert recorded("c", "b", "b", "c", "d").reference_device == "b"


def test_reference_device_of_the_published_corpus_is_a(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "evaluation_setup").mkdir()
    tables = {META: "tau22_meta.csv.xz", TRAIN_FOLD: "tau22_fold1_train.csv.xz"}
    for name, packed in (tables | {TEST_FOLD: "tau22_fold1_evaluate_lf.csv.xz"}).items():
        (tmp_path / name).write_bytes(lzma.decompress((shared / "data" / "tau22-tables" / packed).read_bytes()))
    assert Corpus.open(tmp_path).reference_device == "a"


@pytest.mark.parametrize("text", ["s1", "s1\n", "\ufeffs1\r\n"])
def test_corpus_may_name_its_reference_device(corpus_copy: Path, text: str) -> None:
    (corpus_copy / REFERENCE_FILE).write_text(text)
    assert Corpus.open(corpus_copy).reference_device == "s1"


@pytest.mark.parametrize("text", [b"s9", b"", b"s5", b"s1 s2", b"\xff\xfe", b"s1" * 1_000])
def test_reference_device_that_is_not_trained_on_is_a_problem(corpus_copy: Path, text: bytes) -> None:
    (corpus_copy / REFERENCE_FILE).write_bytes(text)
    _, problems = read_index(corpus_copy)
    assert [problem.where for problem in problems] == [REFERENCE_FILE]
    assert len(problems[0].line()) < 400
    assert "\n" not in problems[0].line()


def test_reference_device_is_not_read_through_a_link_that_leads_out(corpus_copy: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("s1")
    os.symlink(tmp_path / "outside.txt", corpus_copy / REFERENCE_FILE)
    _, problems = read_index(corpus_copy)
    assert [(problem.where, problem.what) for problem in problems] == [
        (REFERENCE_FILE, "a link leads out of the corpus folder")
    ]


def test_corpora_of_one_relative_path_are_told_apart(
    synth_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        shutil.copytree(synth_corpus, tmp_path / name / "corpus")
        monkeypatch.chdir(tmp_path / name)
        assert read_index(Path("corpus"))[1] == []


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(corpus: Path) -> None:
        text = (corpus / name).read_text()
        assert old in text
        (corpus / name).write_text(text.replace(old, new, 1))

    return apply


def append(name: str, text: str) -> Callable[[Path], None]:
    return lambda corpus: (corpus / name).open("a").write(text) and None


def write(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda corpus: (corpus / name).write_bytes(data) and None


@pytest.mark.parametrize(
    ("damage", "where", "what"),
    [
        (lambda c: (c / META).unlink(), META, "no such file"),
        (lambda c: (c / TEST_FOLD).unlink(), TEST_FOLD, "no such file"),
        (write(META, b""), META, "column filename, scene_label, identifier, source_label is missing"),
        (edit(META, "source_label", "device"), META, "column source_label is missing"),
        (write(TRAIN_FOLD, b"filename\tscene_label\n"), TRAIN_FOLD, "has no rows"),
        (write(META, b"\xff\xfe\x00filename"), META, "cannot be read"),
        (write(TEST_FOLD, b"filename\tscene_label\naudio/caf\xe9.wav\tbus\n"), TEST_FOLD, "cannot be read"),
        (append(META, "audio/x.wav\tbus\t\ta\n"), "meta.csv line 202", "a column is empty"),
        (append(TRAIN_FOLD, "audio/new.wav\tbus\n"), TRAIN_FOLD, "audio/new.wav is not in meta.csv"),
        (edit(TRAIN_FOLD, "\tairport\n", "\tairprot\n"), TRAIN_FOLD, "unknown scene 'airprot'"),
        (edit(TRAIN_FOLD, "\tairport\n", "\tbus\n"), TRAIN_FOLD, "is 'bus' here and 'airport'"),
        (append(META, "../x.wav\tbus\tsomewhere\ta\n"), META, "'../x.wav' leaves the corpus folder"),
        (append(META, "/etc/passwd\tbus\tsomewhere\ta\n"), META, "'/etc/passwd' leaves the corpus folder"),
    ],
)
def test_problem_names_place_and_remedy(corpus_copy: Path, damage: Callable, where: str, what: str) -> None:
    damage(corpus_copy)
    _, problems = read_index(corpus_copy)
    assert [p for p in problems if p.where == where and what in p.what and p.remedy], problems
    with pytest.raises(ProblemsError) as caught:
        Corpus.open(corpus_copy)
    assert "\n" not in caught.value.line()


def test_row_that_stands_twice_is_a_problem_in_each_table(corpus_copy: Path) -> None:
    for name in (META, TRAIN_FOLD):
        lines = (corpus_copy / name).read_text().splitlines(keepends=True)
        (corpus_copy / name).write_text("".join([*lines, lines[1]]))
    _, problems = read_index(corpus_copy)
    assert [p.where for p in problems if "stands 2 times" in p.what] == [META, TRAIN_FOLD]


def test_clip_in_both_folds_is_a_problem(corpus_copy: Path) -> None:
    row = (corpus_copy / TRAIN_FOLD).read_text().splitlines()[1]
    append(TEST_FOLD, row + "\n")(corpus_copy)
    _, problems = read_index(corpus_copy)
    assert [(p.where, p.what) for p in problems] == [(row.split("\t")[0], "the clip is in both folds")]


def test_scene_that_is_never_trained_on_is_a_problem(corpus_copy: Path) -> None:
    kept = [row for row in (corpus_copy / TRAIN_FOLD).read_text().splitlines(True) if not row.endswith("\ttram\n")]
    (corpus_copy / TRAIN_FOLD).write_text("".join(kept))
    _, problems = read_index(corpus_copy)
    assert [p.what for p in problems] == ["scene 'tram' has no training clip"]


def test_several_problems_are_found_at_once(corpus_copy: Path) -> None:
    edit(TRAIN_FOLD, "\tairport\n", "\tairprot\n")(corpus_copy)
    append(TEST_FOLD, "audio/new.wav\tbus\n")(corpus_copy)
    with pytest.raises(ProblemsError, match=r"\(and 1 more: asc corpus check"):
        Corpus.open(corpus_copy)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_as_meta_are_problems_and_never_a_crash(corpus_copy: Path, data: bytes) -> None:
    (corpus_copy / META).write_bytes(data)
    _, problems = read_index(corpus_copy)
    assert problems
    assert all("\n" not in problem.line() for problem in problems)


def test_labels_are_by_row(synth_corpus: Path) -> None:
    corpus = Corpus.open(synth_corpus)
    assert corpus.labels.dtype == np.int64
    np.testing.assert_array_equal(np.concatenate([corpus.train_rows, corpus.test_rows]), np.arange(200))


FIELD = st.sampled_from(
    ["audio/a.wav", "audio/b.wav", "../c.wav", "", "bus", "tram", ".", "a\0b", '"', "s1", "x" * 400]
)
ROW = st.lists(FIELD, min_size=0, max_size=5).map("\t".join)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(meta=st.lists(ROW, max_size=5), fold=st.lists(ROW, max_size=5))
def test_any_rows_are_a_corpus_or_problems_in_one_line_each(tmp_path: Path, meta: list[str], fold: list[str]) -> None:
    (tmp_path / "evaluation_setup").mkdir(exist_ok=True)
    (tmp_path / META).write_text("\n".join(["filename\tscene_label\tidentifier\tsource_label", *meta]))
    for name in (TRAIN_FOLD, TEST_FOLD):
        (tmp_path / name).write_text("\n".join(["filename\tscene_label", *fold]))
    corpus, problems = read_index(tmp_path)
    assert problems, "both folds hold the same clips, or none"
    assert all(len(problem.line().splitlines()) == 1 for problem in problems)
    assert corpus is None or not any(".." in name for name in corpus.filenames)


@pytest.mark.parametrize("spelling", ["audio/./", "audio//", "./audio/"])
def test_clip_spelled_in_two_ways_does_not_slip_into_both_folds(corpus_copy: Path, spelling: str) -> None:
    row = (corpus_copy / TRAIN_FOLD).read_text().splitlines()[1]
    described = next(line for line in (corpus_copy / META).read_text().splitlines() if line.startswith(row))
    append(META, described.replace("audio/", spelling) + "\n")(corpus_copy)
    append(TEST_FOLD, row.replace("audio/", spelling) + "\n")(corpus_copy)
    _, problems = read_index(corpus_copy)
    assert problems


def test_tables_of_other_programs_are_read(corpus_copy: Path, synth_corpus: Path) -> None:
    """Spreadsheets write a byte-order mark and Windows line ends."""
    for name in (META, TRAIN_FOLD, TEST_FOLD):
        text = (corpus_copy / name).read_text()
        (corpus_copy / name).write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    assert Corpus.open(corpus_copy).clips == Corpus.open(synth_corpus).clips


@pytest.mark.parametrize("spelling", ["./audio/x.wav", "audio//x.wav"])
def test_another_spelling_of_a_file_is_a_problem(corpus_copy: Path, spelling: str) -> None:
    append(META, f"{spelling}\tbus\tsomewhere\ta\n")(corpus_copy)
    _, problems = read_index(corpus_copy)
    assert [p.remedy for p in problems] == ["write audio/x.wav"]


@pytest.mark.parametrize("name", ["park (north)", "kids' room", "../x", "a//b", "/a", "a/", "a/.", "a" * 65])
def test_names_that_cannot_be_metrics_are_problems(corpus_copy: Path, name: str) -> None:
    append(META, f"audio/x.wav\t{name}\tsomewhere\ta\n")(corpus_copy)
    _, problems = read_index(corpus_copy)
    assert [p.what for p in problems] == [f"scene {name!r} is no name"]


def test_corpus_of_made_up_sounds_says_so(synth_corpus: Path) -> None:
    corpus = Corpus.open(synth_corpus)
    assert corpus.is_synthetic
    assert not replace(corpus, clips=(*corpus.clips, replace(corpus.clips[0], place="lisbon-1000"))).is_synthetic


def test_test_clips_of_places_that_are_trained_on_are_counted() -> None:
    places = ("lyon-1", "lyon-2", "lyon-2", "lyon-2", "lyon-3")
    clips = tuple(Clip(f"audio/{row}.wav", "bus", place, "a") for row, place in enumerate(places))
    corpus = Corpus(Path("somewhere"), clips, n_train=2)
    found = corpus.shared_places()
    assert (len(found.places), found.clips, found.of) == (1, 2, 3)
    assert found.note.startswith("2 of 3 test clips are from 1 place trained on too")
    assert json.loads(found.to_tag()) == {"places": 1, "clips": 2, "of": 3}
    assert corpus.shared_places(np.array([0])).note == ""
