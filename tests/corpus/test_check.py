"""The check of a whole corpus finds every fault at once and opens nothing outside the folder."""

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import Corpus
from asc_experiments.corpus.check import check_corpus, corpus_facts
from asc_experiments.corpus.reader import Clip
from asc_experiments.corpus.readers.tau import META, TEST_FOLD, TRAIN_FOLD

RATE = 44_100
NOISE = 0.1 * np.random.default_rng(0).normal(size=RATE)


def first_row(corpus: Path) -> tuple[str, str]:
    filename, scene = (corpus / TRAIN_FOLD).read_text().splitlines()[1].split("\t")
    return filename, scene


def replace_clip(samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> Callable[[Path], str]:
    def apply(corpus: Path) -> str:
        filename, _ = first_row(corpus)
        soundfile.write(corpus / filename, samples, rate, subtype=subtype)
        return filename

    return apply


def cut_clip(length: int) -> Callable[[Path], str]:
    def apply(corpus: Path) -> str:
        filename, _ = first_row(corpus)
        (corpus / filename).write_bytes((corpus / filename).read_bytes()[:length])
        return filename

    return apply


def missing_clip(corpus: Path) -> str:
    filename, _ = first_row(corpus)
    (corpus / filename).unlink()
    return filename


def folder_for_a_clip(corpus: Path) -> str:
    filename = missing_clip(corpus)
    (corpus / filename).mkdir()
    return filename


def with_nan() -> np.ndarray:
    samples = NOISE.copy()
    samples[7] = np.nan
    return samples


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (missing_clip, "no such file"),
        (folder_for_a_clip, "cannot be read"),
        (cut_clip(0), "0 bytes"),
        (cut_clip(30), "not a readable sound file"),
        (cut_clip(20_001), "truncated"),
        (replace_clip(np.stack([NOISE, NOISE], axis=1)), "has 2 channels"),
        (replace_clip(NOISE[:8_000], rate=8_000), "8000 Hz"),
        (replace_clip(with_nan(), subtype="FLOAT"), "not finite"),
        (replace_clip(np.zeros(RATE)), "silent"),
    ],
    ids=["missing", "folder", "zero bytes", "half a header", "truncated", "stereo", "8 kHz", "NaN", "silence"],
)
@pytest.mark.parametrize("deep", [True, False])
def test_broken_clip_is_the_one_problem_and_has_a_remedy(
    corpus_copy: Path, damage: Callable, what: str, deep: bool
) -> None:
    filename = damage(corpus_copy)
    facts, problems = check_corpus(corpus_copy, deep=deep)
    if what == "silent" and not deep:  # which no header tells
        assert not problems
        return
    assert facts["clips"] == 200
    assert [problem.where for problem in problems] == [filename]
    assert what in problems[0].what
    assert problems[0].remedy
    assert "\n" not in problems[0].line()


def test_large_corpora_are_checked_by_their_headers_which_do_not_tell_silence(
    corpus_copy: Path, monkeypatch: pytest.MonkeyPatch, asc: Callable
) -> None:
    silent = replace_clip(np.zeros(RATE))(corpus_copy)
    monkeypatch.setattr("asc_experiments.corpus.check.DECODED_UNASKED", 199)
    facts, problems = check_corpus(corpus_copy)
    assert not problems
    assert not facts["decoded"]
    facts, (problem,) = check_corpus(corpus_copy, deep=True)
    assert problem.where == silent
    assert facts["decoded"]
    by_headers = asc("corpus", "check", corpus_copy, "--headers")
    assert by_headers.code == 0
    assert "is in order, as far as tables and headers tell; --deep decodes every clip" in by_headers.out
    monkeypatch.undo()
    assert asc("corpus", "check", corpus_copy).code == 2


@pytest.mark.parametrize("deep", [True, False])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_clip_of_another_length_is_a_problem(corpus_copy: Path, deep: bool, subtype: str) -> None:
    filename = Corpus.open(corpus_copy).filenames[4]
    soundfile.write(corpus_copy / filename, NOISE[: RATE // 2], RATE, subtype=subtype)
    _, problems = check_corpus(corpus_copy, deep=deep)
    assert [problem.where for problem in problems] == [filename]
    assert problems[0].what.startswith("lasts 0.500 s (16,000 samples at 32 kHz), 199 of 200 clips 1.000 s (32,000")


def test_clips_above_full_scale_are_warned_of_once(corpus_copy: Path) -> None:
    """A 32-bit recorder's clips are cut in the store, and in prediction alike."""
    names = Corpus.open(corpus_copy).filenames
    for name, peak in ((names[3], 1.5), (names[120], 4.0)):
        soundfile.write(corpus_copy / name, NOISE / np.abs(NOISE).max() * peak, RATE, subtype="FLOAT")
    facts, problems = check_corpus(corpus_copy)
    assert problems == []
    (warning,) = facts["warnings"]
    assert f"{names[120]}: 2 of 200 clips go above full scale, the loudest to 4 times of it" in warning
    assert "in training and in prediction alike" in warning


def test_faults_of_tables_and_of_clips_are_listed_together(corpus_copy: Path) -> None:
    empty = cut_clip(0)(corpus_copy)
    last = Corpus.open(corpus_copy).filenames[-1]
    (corpus_copy / last).unlink()
    with (corpus_copy / TEST_FOLD).open("a") as file:
        file.write("audio/new.wav\tbus\n")
    with (corpus_copy / META).open("a") as file:
        file.write("../outside.wav\tbus\tsynthville-1\ta\n")
    _, problems = check_corpus(corpus_copy)
    assert sorted(problem.where for problem in problems) == sorted([META, TEST_FOLD, empty, last])


def test_without_a_table_there_are_problems_and_no_facts(corpus_copy: Path) -> None:
    (corpus_copy / META).unlink()
    (corpus_copy / TRAIN_FOLD).unlink()
    facts, problems = check_corpus(corpus_copy)
    assert facts == {}
    assert [problem.where for problem in problems] == [META, TRAIN_FOLD]


def test_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    facts, problems = check_corpus(tmp_path / "nowhere")
    assert facts == {}
    assert [problem.where for problem in problems] == [str(tmp_path / "nowhere")]


def test_good_corpus_has_facts_and_no_problems(synth_corpus: Path) -> None:
    facts, problems = check_corpus(synth_corpus)
    assert problems == []
    assert (facts["clips"], facts["training_clips"], facts["test_clips"]) == (200, 130, 70)
    assert facts["clip_seconds"] == 1.0
    assert len(facts["scenes"]) == 10
    assert facts["devices"]["a"]["group"] == "real"
    assert facts["devices"]["s5"]["group"] == "unseen"
    assert facts["devices"]["s5"]["training_clips"] == 0
    assert sum(device["test_clips"] for device in facts["devices"].values()) == 70
    assert (facts["reference_device"], facts["warnings"]) == ("a", [])


def test_place_in_both_folds_is_a_warning_with_its_test_clips(corpus_copy: Path) -> None:
    corpus = Corpus.open(corpus_copy)
    trained, tested = corpus.clips[0], [clip for clip in corpus.clips[corpus.n_train :] if clip.scene == "airport"]
    text = (corpus_copy / META).read_text()
    for clip in tested[:2]:
        text = text.replace(f"{clip.filename}\t{clip.scene}\t{clip.place}\t",
                            f"{clip.filename}\t{clip.scene}\t{trained.place}\t")  # fmt: skip
    (corpus_copy / META).write_text(text)
    facts, problems = check_corpus(corpus_copy)
    assert problems == []
    (warning,) = facts["warnings"]
    assert warning.startswith(
        f"{TEST_FOLD}: 1 place is in {TRAIN_FOLD} too, with 2 of 70 test clips ({trained.location})"
    )


def test_same_identifier_in_another_scene_is_another_place() -> None:
    clips = (Clip("audio/1.wav", "bus", "lyon-1", "a"), Clip("audio/2.wav", "park", "lyon-1", "a"))
    assert corpus_facts(Corpus(Path("somewhere"), clips, n_train=1))["warnings"] == []


def test_real_recordings_with_segments_in_both_folds_are_warned_of(shared: Path) -> None:
    corpus = Corpus.open(shared / "data" / "field-recordings")
    (warning,) = corpus_facts(corpus)["warnings"]
    assert "63 of 540 test clips" in warning


def test_warnings_are_shown_and_the_corpus_is_usable_all_the_same(corpus_copy: Path, asc: Callable) -> None:
    heading, *rows = (line.split("\t") for line in (corpus_copy / META).read_text().splitlines())
    everywhere = [heading, *([name, scene, "lyon-1", device] for name, scene, _, device in rows)]
    (corpus_copy / META).write_text("".join("\t".join(row) + "\n" for row in everywhere))
    done = asc("corpus", "check", corpus_copy)
    assert done.code == 0
    assert f"warning: {TEST_FOLD}: 10 places are in {TRAIN_FOLD} too, with 70 of 70 test clips" in done.err
    assert "reference_device" in done.out
    *_, verdict, following = done.out.splitlines()
    assert verdict == f"{corpus_copy} is usable, with 1 warning"
    assert following == f"next: asc study plan studies/search_ensemble.yaml --corpus {corpus_copy} --scale small"
    assert "in order" not in done.out


_opened: list[str] | None = None


def _record(event: str, arguments: tuple) -> None:
    if event == "open" and _opened is not None:
        _opened.append(str(arguments[0]))


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Every path that Python opens meanwhile, in any thread."""
    global _opened
    if not getattr(_record, "installed", False):
        sys.addaudithook(_record)  # a hook cannot be removed, hence the flag
        _record.installed = True  # type: ignore[attr-defined]
    _opened = []
    yield _opened
    _opened = None


@pytest.mark.parametrize("absolute", [False, True])
def test_file_outside_the_corpus_is_never_opened(corpus_copy: Path, opened: list[str], absolute: bool) -> None:
    inside, scene = first_row(corpus_copy)
    secret = corpus_copy.parent / "secret.wav"
    shutil.copy(corpus_copy / inside, secret)
    filename = str(secret) if absolute else "../secret.wav"
    with (corpus_copy / META).open("a") as file:
        file.write(f"{filename}\t{scene}\tsynthville-1\ta\n")
    with (corpus_copy / TRAIN_FOLD).open("a") as file:
        file.write(f"{filename}\t{scene}\n")
    opened.clear()
    _, problems = check_corpus(corpus_copy)
    assert any("leaves the corpus folder" in problem.what for problem in problems)
    assert any(path.endswith(inside) for path in opened), "the clips inside were read"
    assert not [path for path in opened if path.endswith("secret.wav")]


def renamed(corpus: Path, tables: Iterable[str], change: Callable[[str], str]) -> None:
    for table in tables:
        heading, *rows = (corpus / table).read_text().splitlines()
        named = (row.partition("\t") for row in rows)
        lines = [heading, *(change(name) + tab + rest for name, tab, rest in named)]
        (corpus / table).write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (lambda name: name.removeprefix("audio/"), "write audio/ before each filename"),
        (lambda name: f"wav/{name}", "write each filename without wav/"),
        (lambda name: name.replace("audio", "Audio"), "letters count as large or small"),
        (lambda name: name.upper(), "letters count as large or small"),
    ],
    ids=["without the folder", "with one too many", "another folder", "large letters"],
)
def test_clips_that_all_lie_elsewhere_are_one_problem_with_its_mend(
    corpus_copy: Path, change: Callable[[str], str], remedy: str
) -> None:
    renamed(corpus_copy, (META, TRAIN_FOLD, TEST_FOLD), change)
    facts, problems = check_corpus(corpus_copy)
    assert facts["clips"] == 200
    (problem,) = problems
    assert problem.where == META
    assert "no clip lies where it says" in problem.what
    assert remedy in problem.remedy
    with pytest.raises(AscError, match="no clip lies where it says"):
        Corpus.open(corpus_copy)


@pytest.mark.parametrize("change", [lambda name: name.removeprefix("audio/"), lambda name: name.upper()])
def test_a_fold_that_names_all_clips_otherwise_is_one_problem(corpus_copy: Path, change: Callable[[str], str]) -> None:
    renamed(corpus_copy, (TRAIN_FOLD,), change)
    _, (problem,) = check_corpus(corpus_copy)
    assert problem.where == TRAIN_FOLD
    assert "names 130 of 130 clips otherwise than meta.csv: " in problem.what


def test_a_fold_without_scenes_says_what_to_do_with_its_clips(corpus_copy: Path) -> None:
    rows = (corpus_copy / TEST_FOLD).read_text().splitlines()
    (corpus_copy / TEST_FOLD).write_text("".join(row.partition("\t")[0] + "\n" for row in rows))
    _, (problem,) = check_corpus(corpus_copy)
    assert problem.what == "column scene_label is missing"
    assert "a list without scenes is no fold: asc predict MODEL_URI FOLDER hears" in problem.remedy


def test_a_corpus_of_any_size_that_is_broken_is_told_on_a_screen(corpus_copy: Path, asc: Callable) -> None:
    for path in (corpus_copy / "audio").iterdir():
        path.unlink()
    with (corpus_copy / TEST_FOLD).open("a") as file:
        file.writelines(f"audio/new-{number}.wav\tbus\n" for number in range(1_000))
        file.writelines(f"audio/other-{number}.wav\t\n" for number in range(1_000))
    done = asc("corpus", "check", corpus_copy)
    assert done.code == 2
    told = done.err.splitlines()
    assert len(told) <= 13
    assert told[-1] == f"2,200 problems in {corpus_copy}; --json lists each"
    assert "… and 197 more like it" in told
    assert told.count("… and 997 more like it") == 2
    assert len(json.loads(asc("corpus", "check", corpus_copy, "--json").out)["problems"]) == 2_200
