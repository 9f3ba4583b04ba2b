"""The synthetic corpus: reproducible, and with the phenomena of the real one."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import Corpus, prepare
from asc_experiments.corpus.impulse_responses import load_impulse_responses
from asc_experiments.corpus.synth import _heard, _plan, synthesise
from asc_experiments.models import LogMel


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_seed_decides_every_byte(synth_corpus: Path, tmp_path: Path) -> None:
    synthesise(tmp_path / "same", 20, 0)
    synthesise(tmp_path / "other", 20, 1)
    assert content(tmp_path / "same") == content(synth_corpus)
    assert content(tmp_path / "other") != content(synth_corpus)


def test_nine_devices_of_which_three_are_never_trained_on(synth_corpus: Path) -> None:
    corpus = Corpus.open(synth_corpus)
    assert len(set(corpus.device_of[corpus.test_rows])) == 9
    trained = corpus.device_of[corpus.train_rows]
    assert set(trained) == {"a", "b", "c", "s1", "s2", "s3"}
    assert (trained == "a").mean() > 0.5


def test_impulse_responses_come_with_it(synth_corpus: Path) -> None:
    assert load_impulse_responses(synth_corpus / "dirs").responses.shape[0] == 12


@pytest.mark.parametrize("clips", [0, 19])
def test_too_few_clips_are_refused(tmp_path: Path, clips: int) -> None:
    with pytest.raises(AscError, match="--clips-per-scene"):
        synthesise(tmp_path / "x", clips)


def test_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(AscError, match="not empty"):
        synthesise(tmp_path, 20)
    with pytest.raises(AscError, match="not empty"):
        synthesise(tmp_path / "precious.txt", 20)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_scenes_can_be_learned_and_unseen_devices_are_harder(tmp_path: Path) -> None:
    synthesise(tmp_path / "corpus", 40, 0)
    corpus = Corpus.open(tmp_path / "corpus")
    waveforms = prepare(corpus, tmp_path / "cache").waveforms
    with torch.no_grad():
        features = LogMel.for_arch("passt")(torch.from_numpy(np.array(waveforms) / np.float32(32_768)))
    means = features.mean(dim=3).flatten(1).numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    model.fit(means[corpus.train_rows], corpus.labels[corpus.train_rows])
    rows = corpus.test_rows
    correct = model.predict(means[rows]) == corpus.labels[rows]
    unseen = np.isin(corpus.device_of[rows], ["s4", "s5", "s6"])
    # Measured on seed 0: 0.94 on seen devices, 0.51 on unseen ones.
    assert correct[~unseen].mean() > 0.6, "ten scenes: chance is 0.1"
    assert correct[~unseen].mean() < 0.98, "the scenes overlap"
    assert correct[unseen].mean() < correct[~unseen].mean() - 0.15, "unseen devices are harder"


def test_so_large_a_part_of_training_clips_sound_like_another_scene_and_no_test_clip_does() -> None:
    plan = _plan(40, 3)
    heard = _heard(np.random.default_rng(0), 3, plan, 0.25)
    wrong = [is_trained for (_, _, is_trained), scene in zip(plan, heard, strict=True) if scene != 3]
    assert wrong == [True] * 6, "a quarter of 26"


def test_wrong_labels_change_what_is_heard_and_no_table(synth_corpus: Path, tmp_path: Path) -> None:
    synthesise(tmp_path / "noisy", 20, 0, label_noise=0.3)
    right, noisy = content(synth_corpus), content(tmp_path / "noisy")
    assert noisy.pop("label_noise.txt") == b"0.3\n"
    assert noisy.keys() == right.keys()
    assert noisy != right
    assert all(name.startswith("audio/") for name in right if noisy[name] != right[name])


@pytest.mark.parametrize("part", [-0.1, 0.6, float("nan")])
def test_impossible_parts_of_wrong_labels_are_refused(tmp_path: Path, part: float) -> None:
    with pytest.raises(AscError, match="--label-noise"):
        synthesise(tmp_path / "x", 20, label_noise=part)
    assert not (tmp_path / "x").exists()


def test_large_corpora_have_more_test_places(tmp_path: Path) -> None:
    for clips, places in ((60, 3), (80, 7)):
        plan = _plan(clips, 0)
        assert len({place for _, place, is_trained in plan if not is_trained}) == places
        assert len({place for _, place, is_trained in plan if is_trained}) == 6


def test_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libsndfile's own error, which is no OSError."""

    def full(*_: object, **__: object) -> None:
        raise soundfile.LibsndfileError(2)

    monkeypatch.setattr(soundfile, "write", full)
    with pytest.raises(AscError, match="cannot be written \\(System error\\); is the disk full"):
        synthesise(tmp_path / "corpus", 20)
    assert not list(tmp_path.iterdir())
