"""The validation split never hears a place twice."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import Corpus, ValidationSplit, split_training_fold
from asc_experiments.corpus.reader import Clip
from asc_experiments.corpus.splits import held_out_device_clips
from asc_experiments.study.definition.study_file import StudyFile


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fraction=st.floats(0.15, 0.5), seed=st.integers(0, 1_000))
def test_locations_and_scenes_are_divided_properly(synth_corpus: Path, fraction: float, seed: int) -> None:
    corpus = Corpus.open(synth_corpus)
    train, validation = split_training_fold(corpus, ValidationSplit(fraction=fraction, seed=seed))
    np.testing.assert_array_equal(np.sort(np.concatenate([train, validation])), corpus.train_rows)
    places = [{corpus.clips[row].location for row in rows} for rows in (train, validation)]
    assert not places[0] & places[1]
    for rows in (train, validation):
        assert set(corpus.labels[rows]) == set(range(10))
    assert 0.4 * fraction < len(validation) / corpus.n_train < 1.8 * fraction


def test_real_recordings_can_be_divided(shared: Path) -> None:
    corpus = Corpus.open(shared / "data" / "field-recordings")
    train, validation = split_training_fold(corpus, ValidationSplit(fraction=0.2))
    assert len(validation) == pytest.approx(130, abs=20)
    assert set(corpus.labels[train]) == set(corpus.labels[validation]) == set(range(10))


def test_seed_decides_the_split(synth_corpus: Path) -> None:
    corpus = Corpus.open(synth_corpus)
    rows = [split_training_fold(corpus, ValidationSplit(fraction=0.2, seed=seed))[1].tolist() for seed in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]


def test_held_out_device_is_not_trained_on_but_validated_on(synth_corpus: Path) -> None:
    corpus = Corpus.open(synth_corpus)
    split = ValidationSplit(fraction=0.3, hold_out_devices=("s3",))
    train, validation = split_training_fold(corpus, split)
    assert "s3" not in corpus.device_of[train]
    assert "s3" in corpus.device_of[validation]


def test_no_fraction_trains_on_everything(synth_corpus: Path) -> None:
    train, validation = split_training_fold(Corpus.open(synth_corpus), ValidationSplit())
    assert (len(train), len(validation)) == (130, 0)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (ValidationSplit(fraction=0.2, hold_out_devices=("s9",)), "no training clip is from device 's9'"),
        (ValidationSplit(fraction=0.2, hold_out_devices=("s4",)), "no training clip is from device 's4'"),
        (ValidationSplit(hold_out_devices=("s3",)), "needs a validation split"),
    ],
)
def test_impossible_splits_are_refused(synth_corpus: Path, split: ValidationSplit, message: str) -> None:
    with pytest.raises(AscError, match=message):
        split_training_fold(Corpus.open(synth_corpus), split)


def test_scene_with_a_single_location_is_named(corpus_copy: Path) -> None:
    lines = (corpus_copy / "meta.csv").read_text().splitlines()
    one_place = [
        "\t".join([*line.split("\t")[:2], "synthville-1", line.split("\t")[3]]) if "\ttram\t" in line else line
        for line in lines
    ]
    (corpus_copy / "meta.csv").write_text("\n".join(one_place) + "\n")
    with pytest.raises(AscError, match=r"scene 'tram' would have no"):
        split_training_fold(Corpus.open(corpus_copy), ValidationSplit(fraction=0.2))


def test_held_out_devices_are_a_list_as_yaml_gives_it() -> None:
    split = ValidationSplit.parse({"fraction": 0.2, "hold_out_devices": ["s3"]}, "study.yaml")
    assert split.hold_out_devices == ("s3",)
    assert ValidationSplit.parse({"fraction": 0.2, "hold_out_devices": "s3"}, "study.yaml") == split, "one alone"
    for wrong in ({"hold_out_devices": 3}, {"fraction": 0.6}, {"fraction": -0.1}, {"fractoin": 0.2}):
        with pytest.raises(AscError, match=r"study\.yaml: "):
            ValidationSplit.parse(wrong, "study.yaml")


def two_scenes(clips: list[tuple[str, str, str]]) -> Corpus:
    """A corpus of training clips alone, each a scene, an identifier and a device."""
    made = [Clip(f"audio/{number}.wav", *clip) for number, clip in enumerate(clips)]
    return Corpus(Path(), tuple(made), len(made))


def recorded() -> Corpus:
    """Ten places of each of two scenes, ten clips of device a at each; s3 recorded five clips at four of them."""
    places = [(scene, f"city-{number}") for scene in ("bus", "park") for number in range(10)]
    clips = [(*place, "a") for place in places for _ in range(10)]
    return two_scenes(clips + [(*place, "s3") for place in places if place[1] in STOPS for _ in range(5)])


STOPS = ("city-1", "city-4", "city-6", "city-9")
HELD = {"fraction": 0.2, "hold_out_devices": ("s3",)}


def divided(corpus: Corpus, split: ValidationSplit) -> tuple[int, set[str]]:
    """How many clips of s3 are validated on, and at which places; checks that places are kept apart."""
    train, validation = split_training_fold(corpus, split)
    assert not set(corpus.place_of[train]) & set(corpus.place_of[validation]), "no place is trained and validated on"
    assert "s3" not in corpus.device_of[train]
    of_device = validation[corpus.device_of[validation] == "s3"]
    return len(of_device), set(corpus.place_of[validation])


def test_most_clips_of_a_held_out_device_are_validated_on_within_the_fraction() -> None:
    corpus = recorded()
    for seed in range(8):
        some, _ = divided(corpus, ValidationSplit(**HELD, seed=seed))
        most, places = divided(corpus, ValidationSplit(**HELD, held_out_device_clips="most", seed=seed))
        assert most == 20 >= some, "two places of each scene, both of those that s3 recorded at"
        assert len(places) == 4
        _, validation = split_training_fold(corpus, ValidationSplit(**HELD, held_out_device_clips="most"))
        assert len(validation) == 60, "as large a part as ever"
    assert min(divided(corpus, ValidationSplit(**HELD, seed=seed))[0] for seed in range(8)) < 20


def test_all_clips_of_a_held_out_device_are_validated_on_whatever_fraction_that_takes() -> None:
    corpus = recorded()
    split = ValidationSplit(**HELD, held_out_device_clips="all")
    clips, places = divided(corpus, split)
    assert (clips, places) == (40, {f"{scene}/{stop}" for scene in ("bus", "park") for stop in STOPS})
    train, validation = split_training_fold(corpus, split)
    assert (len(train), len(validation)) == (120, 120), "clips of a at these places are validated on, not trained on"
    assert held_out_device_clips(corpus, split) == {"s3": (40, 40)}
    assert held_out_device_clips(corpus, ValidationSplit(**HELD, held_out_device_clips="most")) == {"s3": (20, 40)}


def test_all_clips_of_a_device_that_recorded_everywhere_would_leave_nothing_to_train_on() -> None:
    places = [(scene, f"city-{number}") for scene in ("bus", "park") for number in range(4)]
    corpus = two_scenes([(*place, device) for place in places for device in ("a", "s3")])
    message = "scene 'bus' would have no training clip with all those of s3 held out; set validation.held_out_device_cl"
    with pytest.raises(AscError, match=message):
        split_training_fold(corpus, ValidationSplit(**HELD, held_out_device_clips="all"))


def test_scene_that_the_held_out_device_never_recorded_is_validated_on_too() -> None:
    clips = [(scene, f"city-{n}", "a") for scene in ("bus", "park") for n in range(5) for _ in range(4)]
    corpus = two_scenes([*clips, ("bus", "city-2", "s3")])
    for choice in ("most", "all"):
        _, validation = split_training_fold(corpus, ValidationSplit(**HELD, held_out_device_clips=choice))
        assert set(corpus.labels[validation].tolist()) == {0, 1}


def test_choice_of_places_is_no_part_of_a_key_where_it_is_off() -> None:
    split = ValidationSplit(**HELD)
    written = {"fraction": 0.2, "hold_out_devices": ["s3"], "seed": 0}
    assert split.model_dump(mode="json") == split.normalised().model_dump(mode="json") == written
    assert split.model_dump_json() == '{"fraction":0.2,"hold_out_devices":["s3"],"seed":0}'
    chosen = ValidationSplit(**HELD, held_out_device_clips="all")
    assert chosen.normalised().model_dump(mode="json") == written | {"held_out_device_clips": "all"}
    assert ValidationSplit.model_validate_json(chosen.model_dump_json()) == chosen


def test_study_that_makes_no_choice_of_places_has_the_definition_that_it_had_before_there_was_one() -> None:
    validation = {"fraction": 0.2, "hold_out_devices": ["s3"]}
    values = {"name": "s", "validation": validation, "ensemble": {"pool": [{"arch": "passt"}]}}
    dumped = StudyFile.parse(values, "s.yaml").model_dump(mode="json")
    assert dumped["validation"] == validation | {"seed": 0}
    chosen = StudyFile.parse(values | {"validation": validation | {"held_out_device_clips": "some"}}, "s.yaml")
    assert chosen.definition_digest() == StudyFile.parse(values, "s.yaml").definition_digest()


def test_choice_of_places_without_held_out_devices_is_refused() -> None:
    with pytest.raises(AscError, match="held_out_device_clips is of held-out devices; name some in hold_out_devices"):
        ValidationSplit.parse({"fraction": 0.2, "held_out_device_clips": "all"}, "study.yaml")
    with pytest.raises(AscError, match="'held_out_device_clips' is 'every'"):
        ValidationSplit.parse({**HELD, "held_out_device_clips": "every"}, "study.yaml")


def test_most_of_the_held_out_clips_of_real_recordings_are_used(shared: Path) -> None:
    corpus = Corpus.open(shared / "data" / "field-places")
    trained = sorted(set(corpus.device_of[corpus.train_rows].tolist()))
    counts = {}
    for choice in ("some", "most"):
        split = ValidationSplit(fraction=0.2, hold_out_devices=(trained[-1],), held_out_device_clips=choice)
        train, validation = split_training_fold(corpus, split)
        assert not set(corpus.place_of[train]) & set(corpus.place_of[validation])
        counts[choice], _ = held_out_device_clips(corpus, split)[trained[-1]]
    assert counts["most"] >= counts["some"] > 0
