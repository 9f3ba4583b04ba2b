"""The validation split never hears a place twice."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import Corpus, ValidationSplit, split_training_fold


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
    for wrong in ({"hold_out_devices": "s3"}, {"fraction": 0.6}, {"fraction": -0.1}, {"fractoin": 0.2}):
        with pytest.raises(AscError, match=r"study\.yaml: "):
            ValidationSplit.parse(wrong, "study.yaml")
