"""Recordings of other layouts become corpora: cut, with places apart, at their own bits; or nothing is written."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from asc_experiments.base.errors import AscError, ProblemsError
from asc_experiments.corpus import Corpus, prepare
from asc_experiments.corpus.check import check_corpus
from asc_experiments.corpus.importing import Order, import_corpus
from asc_experiments.corpus.segments import find_segments
from asc_experiments.metrics import MetricKey

RATE = 48_000
DEVICE, PLACE = r"_(\w+)\.wav$", r"/(\w+?)_"


def sound(seconds: float, channels: int = 1, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """Noise in whole 24-bit steps, ``(samples, channels)`` int32."""
    rng = np.random.default_rng(seed)
    return rng.integers(-(1 << 22), 1 << 22, (round(seconds * rate), channels), dtype=np.int32) << 8


def write(path: Path, samples: np.ndarray, subtype: str = "PCM_24", rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Two scenes, three places of each, two devices."""
    root = tmp_path / "recordings"
    for number, scene in enumerate(("bus", "park")):
        for place in range(3):
            for device in ("a", "phone"):
                name = root / scene / f"{scene}{place}_{device}.wav"
                write(name, sound(3.5, seed=10 * number + place))
    return root


@pytest.fixture
def tau20(tmp_path: Path) -> Callable[..., Path]:
    """A corpus of ten-second recordings in the layout of TAU19 and TAU20; places 1 and 2 are trained on."""

    def make(channels: int = 1, seconds: float = 10, folds: dict[int, str] | None = None) -> Path:
        root, rows = tmp_path / "tau20", []
        for place in (1, 2, 3, 4):
            for device in ("a", "s1"):
                name = f"audio/bus-lyon-{place}-{place}00-{device}.wav"
                write(root / name, sound(seconds, channels, seed=place))
                rows.append((name, "bus", f"lyon-{place}", device))
        of = folds or {1: "train", 2: "train", 3: "evaluate"}
        (root / "evaluation_setup").mkdir()
        tables = {"meta.csv": [("filename", "scene_label", "identifier", "source_label"), *rows]}
        for fold in ("train", "evaluate"):
            listed = [row[:2] for row in rows if of.get(int(row[2][-1])) == fold]
            tables[f"evaluation_setup/fold1_{fold}.csv"] = [("filename", "scene_label"), *listed]
        for name, lines in tables.items():
            with (root / name).open("w", newline="") as file:
                csv.writer(file, delimiter="\t").writerows(lines)
        return root

    return make


def test_ten_second_recordings_of_a_published_corpus_become_clips_in_its_folds(
    tau20: Callable[..., Path], tmp_path: Path
) -> None:
    source, folder = tau20(channels=2), tmp_path / "corpus"
    done = import_corpus(Order(source, folder, "tau"))
    assert (done.recordings, len(done.clips)) == (6, 60)
    assert done.left_out == Counter({"recordings in neither fold": 2})
    facts, problems = check_corpus(folder)
    assert problems == []
    assert facts["warnings"] == []
    corpus = Corpus.open(folder)
    assert {clip.place for clip in corpus.clips[: corpus.n_train]} == {"lyon-1", "lyon-2"}
    assert "audio/bus-lyon-3-300-9-s1.wav" in corpus.filenames
    assert (find_segments(corpus, corpus.train_rows).length[corpus.train_rows] == 10).all()
    stereo, _ = soundfile.read(source / "audio/bus-lyon-3-300-s1.wav", dtype="float64")
    clip, rate = soundfile.read(folder / "audio/bus-lyon-3-300-9-s1.wav", dtype="float64")
    assert rate == RATE
    assert np.abs(clip - stereo[9 * RATE :].mean(axis=1)).max() <= 2**-24


@pytest.mark.parametrize(("seconds", "clips"), [(10.0, 6), (5.0, 12), (0.5, 120)])
def test_corpus_of_clips_of_any_length_says_how_long_they_are(
    tau20: Callable[..., Path], tmp_path: Path, cache: Path, seconds: float, clips: int
) -> None:
    folder = tmp_path / "corpus"
    done = import_corpus(Order(tau20(), folder, "tau", seconds))
    assert (done.facts()["clip_seconds"], done.facts()["clips"]) == (seconds, clips)
    facts, problems = check_corpus(folder)
    assert (problems, facts["clip_seconds"]) == ([], seconds)
    assert prepare(Corpus.open(folder), cache).waveforms.shape == (clips, 32_000 * seconds)


def test_clips_are_the_samples_of_their_recording(folders: Path, tmp_path: Path, cache: Path) -> None:
    order = Order(folders, tmp_path / "corpus", "class-folders", 0.5, DEVICE, PLACE)
    done = import_corpus(order)
    corpus = Corpus.open(order.folder)
    assert len(done.clips) == len(corpus.clips) == 12 * 7
    assert corpus.devices == ("a", "phone")
    assert prepare(corpus, cache).waveforms.shape == (84, 16_000)
    for place in range(3):
        whole, _ = soundfile.read(folders / "bus" / f"bus{place}_phone.wav", dtype="int32")
        of_place = [clip for clip in corpus.clips if (clip.place, clip.device) == (f"bus{place}", "phone")]
        cut = [soundfile.read(order.folder / clip.filename, dtype="int32")[0] for clip in of_place]
        np.testing.assert_array_equal(np.concatenate(cut), whole)


def test_places_are_drawn_whole_and_the_seed_decides_which(folders: Path, tmp_path: Path) -> None:
    tested = []
    for seed in range(4):
        folder = tmp_path / f"corpus{seed}"
        facts = import_corpus(Order(folders, folder, "class-folders", 1, DEVICE, PLACE, seed=seed)).facts()
        assert facts["places"] == {"training": 4, "test": 2}
        assert facts["scenes"] == {scene: {"training": 12, "test": 6} for scene in ("bus", "park")}
        corpus = Corpus.open(folder)
        train, test = (set(corpus.place_of[rows].tolist()) for rows in (corpus.train_rows, corpus.test_rows))
        assert not train & test
        tested.append(frozenset(test))
    assert len(set(tested)) > 1


def test_without_a_rule_each_file_is_a_place_and_every_device_is_a(folders: Path, tmp_path: Path) -> None:
    import_corpus(Order(folders, tmp_path / "corpus", "class-folders"))
    corpus = Corpus.open(tmp_path / "corpus")
    assert corpus.devices == ("a",)
    assert len(set(corpus.place_of.tolist())) == 12


@pytest.mark.parametrize(
    ("subtype", "written"),
    [("PCM_16", "PCM_16"), ("PCM_24", "PCM_24"), ("FLOAT", "PCM_24"), ("PCM_U8", "PCM_16")],
)
def test_clips_have_16_bits_or_24_as_their_recording(folders: Path, tmp_path: Path, subtype: str, written: str) -> None:
    for file in folders.rglob("*.wav"):
        write(file, soundfile.read(file)[0], subtype)
    import_corpus(Order(folders, tmp_path / "corpus", "class-folders"))
    clips = list((tmp_path / "corpus").rglob("*.wav"))
    assert {soundfile.info(clip).subtype for clip in clips} == {written}
    first = next(clip for clip in clips if clip.name == "bus-bus0_a-0-0-a.wav")
    expected = soundfile.read(folders / "bus" / "bus0_a.wav", dtype="float64")[0][:RATE]
    np.testing.assert_array_equal(soundfile.read(first, dtype="float64")[0], np.rint(expected * 2**23) / 2**23)


def test_what_is_left_out_is_counted_with_its_reason(folders: Path, tmp_path: Path) -> None:
    write(folders / "bus" / "bus3_a.wav", sound(0.9))
    silent = sound(3)
    silent[RATE : 2 * RATE] = 0
    write(folders / "bus" / "bus4_a.wav", silent)
    write(folders / "stray_a.wav", sound(1))
    (folders / "bus" / "._bus0_a.wav").write_bytes(b"a Macintosh's notes")
    (folders / "bus" / "readme.txt").write_text("no sound")
    done = import_corpus(Order(folders, tmp_path / "corpus", "class-folders", 1, DEVICE, PLACE))
    assert done.left_out == Counter(
        {"ends shorter than a clip": 12, "recordings shorter than a clip": 1, "silent clips": 1,
         "files in no scene's folder": 1}
    )  # fmt: skip
    corpus = Corpus.open(tmp_path / "corpus")
    positions = [clip.position for clip in corpus.clips if clip.place == "bus4"]
    assert positions == [0, 2], "the silent second ends a run"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_table_names_files_scenes_and_columns_of_the_rest(folders: Path, tmp_path: Path, delimiter: str) -> None:
    rows = [("path", "label", "where", "mic", "part")]
    for file in sorted(folders.rglob("*.wav")):
        scene, place = file.parent.name, file.stem.partition("_")[0]
        part = "5" if place.endswith("2") else "1"
        rows.append((file.relative_to(folders).as_posix(), scene, place, "zoom", part))
    with (folders / "table.csv").open("w", newline="") as table:
        csv.writer(table, delimiter=delimiter).writerows(rows)
    order = Order(folders / "table.csv", tmp_path / "corpus", "csv", 1, "mic", "where", "part=5")
    facts = import_corpus(order).facts()
    assert facts["devices"] == {"zoom": {"training": 24, "test": 12}}
    corpus = Corpus.open(order.folder)
    assert set(corpus.place_of[corpus.test_rows].tolist()) == {"bus/bus2", "park/park2"}


def test_a_scene_may_have_the_name_that_tut_gives_it(folders: Path, tmp_path: Path) -> None:
    rows = [("file", "scene")]
    for file in sorted(folders.rglob("*.wav")):
        scene = "cafe/restaurant" if file.parent.name == "bus" else file.parent.name
        rows.append((file.relative_to(folders).as_posix(), scene))
    with (folders / "table.csv").open("w", newline="") as table:
        csv.writer(table).writerows(rows)
    order = Order(folders / "table.csv", tmp_path / "corpus", "csv")
    facts = import_corpus(order).facts()
    assert sorted(facts["scenes"]) == ["cafe/restaurant", "park"]
    _, problems = check_corpus(order.folder)
    assert problems == []
    corpus = Corpus.open(order.folder)
    assert corpus.scenes == ("cafe/restaurant", "park")
    assert all(clip.recording for clip in corpus.clips), "its clips are consecutive by their names"
    key = MetricKey.parse(str(MetricKey("accuracy", "scene", corpus.scenes[0], "validation")))
    assert (key.part, key.member) == ("scene", "cafe/restaurant")


def test_second_long_clips_of_one_recording_stay_its_consecutive_seconds(synth_corpus: Path, tmp_path: Path) -> None:
    import_corpus(Order(synth_corpus, tmp_path / "corpus", "tau", 0.5))
    corpus, before = Corpus.open(tmp_path / "corpus"), Corpus.open(synth_corpus)
    assert len(corpus.clips) == 2 * len(before.clips)
    clip = next(clip for clip in before.clips if clip.position == 3)
    halves = [c.position for c in corpus.clips if c.place == clip.place and c.recording == clip.recording
              and c.device == clip.device and c.scene == clip.scene]  # fmt: skip
    assert {6, 7} <= set(halves)


def refused(order: Order) -> list[str]:
    """What an import says that is refused; nothing may be left of it."""
    before = sorted(order.folder.parent.iterdir())
    with pytest.raises(AscError) as caught:
        import_corpus(order)
    assert sorted(order.folder.parent.iterdir()) == before
    error = caught.value
    lines = [each.line() for each in error.problems] if isinstance(error, ProblemsError) else [error.line()]
    assert all(len(line.splitlines()) == 1 for line in lines)
    return lines


def test_place_in_both_folds_is_refused(tau20: Callable[..., Path], tmp_path: Path) -> None:
    order = Order(tau20(), tmp_path / "corpus", "tau", place_from="audio/(bus)-")
    assert refused(order) == [
        "bus/bus: the place is in both folds; keep it in one fold, or have whole places drawn: --split 0.3"
    ]


def test_places_of_a_published_corpus_may_be_drawn_anew(tau20: Callable[..., Path], tmp_path: Path) -> None:
    facts = import_corpus(Order(tau20(seconds=2), tmp_path / "corpus", "tau", split="0.25")).facts()
    assert (facts["places"], facts["left_out"]) == ({"training": 3, "test": 1}, {})


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "layout": ({"layout": "class-folder"}, "--layout class-folder: is no layout; did you mean 'class-folders'?"),
    "regex": ({"device_from": "("}, "--device-from (: is no regular expression"),
    "groups": ({"place_from": "bus"}, "--place-from bus: has not one group; put the part"),
    "matches nothing": ({"place_from": "/(bus.)_"}, "park/park0_a.wav: --place-from finds nothing"),
    "split": ({"split": "half"}, "--split half: is no split"),
    "part": ({"split": "0.9"}, "--split 0.9: cannot be the part of the test fold"),
    "keep": ({"split": "keep"}, "--split keep: folders of scenes have no folds"),
    "column": ({"split": "fold=1"}, "--split fold=1: names a column, which only a table has"),
    "one place": ({"place_from": "(park|bus)"}, "bus: the scene has one place, and needs one in each fold"),
    "no sound": ({"clip_seconds": 1e-5}, "is less than 0.05 s"),
    "too long": ({"clip_seconds": 60.0}, "has no recording to import that lasts 60 s"),
    "no source": ({"source": Path("nowhere")}, "nowhere: does not exist"),
    "table is a folder": ({"layout": "csv"}, "is a folder; give the table itself"),
}


@pytest.mark.parametrize(("changed", "said"), BROKEN.values(), ids=BROKEN)
def test_order_that_cannot_be_done_is_one_line_and_writes_nothing(
    folders: Path, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    given = {"source": folders, "folder": tmp_path / "corpus", "layout": "class-folders"} | changed
    assert said in refused(Order(**given))[0]


def test_every_recording_that_cannot_be_imported_is_named_and_nothing_written(folders: Path, tmp_path: Path) -> None:
    (folders / "bus" / "bus7_a.wav").write_bytes(b"no sound at all")
    write(folders / "bus" / "bus8_a.wav", sound(2, rate=16_000), rate=16_000)
    whole = write(folders / "bus" / "bus9_a.wav", sound(3)).read_bytes()
    (folders / "bus" / "bus9_a.wav").write_bytes(whole[: len(whole) // 2])
    nan = sound(2).astype(np.float64) / 2**31
    nan[RATE] = np.nan
    write(folders / "park" / "park6_a.wav", np.nan_to_num(nan) * 3, "FLOAT")
    write(folders / "park" / "park7_a.wav", nan, "FLOAT")
    (tmp_path / "outside.wav").write_bytes(whole)
    (folders / "park" / "park8_a.wav").symlink_to(tmp_path / "outside.wav")
    lines = refused(Order(folders, tmp_path / "corpus", "class-folders"))
    assert [line.partition(":")[0] for line in lines] == [
        "bus/bus7_a.wav", "bus/bus8_a.wav", "bus/bus9_a.wav", "park/park8_a.wav",
    ]  # fmt: skip
    for name in ("bus7", "bus8", "bus9"):
        (folders / "bus" / f"{name}_a.wav").unlink()
    (folders / "park" / "park8_a.wav").unlink()
    assert refused(Order(folders, tmp_path / "corpus", "class-folders")) == [
        "park/park6_a.wav: has a peak of 1.5, above full scale; bring its samples into [-1, 1]",
        "park/park7_a.wav: holds samples that are not finite; restore it from the original recording, or take it away",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("filename,scene\nbus/\0.wav,bus\n", "holds control characters"),
        ("filename,scene\n../outside.wav,bus\n", "leads out of the corpus folder"),
        ("filename,scene\nbus/bus0_a.wav,bus\nbus/bus0_a.wav,bus\n", "stands 2 times"),
        ("filename,scene\nbus/bus0_a.wav,a//b\n", "scene 'a//b' is no name"),
        ("filename,scene\nbus/nowhere.wav,bus\n", "bus/nowhere.wav: no such file"),
        ("filename,scene\n,bus\n", "line 2: a column is empty"),
        ("file,what\nbus/bus0_a.wav,bus\n", "has no column of scenes; call it scene_label, scene"),
        ("", "has no column of files"),
        ("filename,scene,fold\nbus/bus0_a.wav,bus,training\n", "fold 'training' is none"),
    ],
)  # fmt: skip
def test_table_that_is_wrong_is_one_line(folders: Path, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "outside.wav").write_bytes(b"")
    (folders / "table.csv").write_text(text)
    order = Order(folders / "table.csv", tmp_path / "corpus", "csv", split="keep" if "fold" in text else None)
    assert any(said in line for line in refused(order))


def test_folder_in_use_and_folder_in_the_source_are_left_alone(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("mine")
    assert "already exists and is not empty" in refused(Order(folders, tmp_path / "mine", "class-folders"))[0]
    assert "lies in the source" in refused(Order(folders, folders / "corpus", "class-folders"))[0]
    assert (tmp_path / "mine" / "precious.txt").read_text() == "mine"


def test_command_tells_what_it_did_and_what_was_wrong(asc: Callable, folders: Path, tmp_path: Path) -> None:
    words = ("corpus", "import", folders, tmp_path / "corpus", "--layout", "class-folders", "--device-from", DEVICE)
    done = asc(*words, "--clip", "500ms")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--clip 500ms: is no duration" in done.err
    done = asc(*words, "--place-from", PLACE)
    assert done.code == 0, done.err
    for line in ("24 training clips, 12 test clips", "device phone", "left out: ends shorter than a clip"):
        assert line in done.out
    assert asc("corpus", "check", tmp_path / "corpus").code == 0
    (folders / "bus" / "bus7_a.wav").write_bytes(b"no sound at all")
    (folders / "bus" / "bus8_a.wav").write_bytes(b"none either")
    failed = asc(*words[:3], tmp_path / "other", *words[4:])
    assert failed.code == 2
    said = [line for line in failed.err.splitlines() if line.startswith("problem: ")]
    assert len(said) == 2
    assert not (tmp_path / "other").exists()


def test_facts_are_json(asc: Callable, folders: Path, tmp_path: Path) -> None:
    done = asc("corpus", "import", folders, tmp_path / "corpus", "--layout", "class-folders", "--json")
    assert json.loads(done.out)["folds"] == {"training": 24, "test": 12}
