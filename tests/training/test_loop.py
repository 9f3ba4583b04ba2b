"""Training is reproducible, learns, and stops where there is nothing to learn from."""

from pathlib import Path

import numpy as np
import pytest
import torch

from asc_experiments.base.errors import NotFiniteError
from asc_experiments.corpus import Corpus, prepare
from asc_experiments.corpus.impulse_responses import load_impulse_responses
from asc_experiments.training import ClipSource, EpochReport, Recipe, SceneNetwork, SoftTargets, Trainer, make_recipe
from asc_experiments.training.loop import predict_logits


@pytest.fixture(scope="module")
def corpus(synth_corpus: Path) -> Corpus:
    return Corpus.open(synth_corpus)


@pytest.fixture(scope="module")
def clips(corpus: Corpus, cache: Path) -> ClipSource:
    waveforms = prepare(corpus, cache).waveforms
    return ClipSource(waveforms, corpus.labels, corpus.device_of == "a", torch.device("cpu"))


@pytest.fixture(scope="module")
def responses(synth_corpus: Path) -> np.ndarray:
    return load_impulse_responses(synth_corpus / "dirs").responses


def tiny(augment: str = "dirfms", **settings: object) -> Recipe:
    return make_recipe("cp_mobile", augment, **({"base_channels": 8, "epochs": 1, "batch_size": 32} | settings))


def weights(network: SceneNetwork) -> torch.Tensor:
    return torch.cat([value.flatten().double() for value in network.model.state_dict().values()])


@pytest.mark.parametrize("arch", ["cp_mobile", "cp_resnet", "passt"])
def test_same_seed_gives_the_same_network_bit_for_bit(
    arch: str, corpus: Corpus, clips: ClipSource, responses: np.ndarray
) -> None:
    size = {"cp_mobile": {"base_channels": 8}, "cp_resnet": {"base_channels": 10}, "passt": {"size": "xxs"}}[arch]
    trained = []
    for seed in (0, 0, 1):
        recipe = make_recipe(arch, "dirfms", epochs=1, batch_size=32, seed=seed, **size)
        torch.rand(7)  # whatever else used the global generator does not matter
        trained.append(weights(Trainer(recipe, clips, corpus.scenes, responses).fit(corpus.train_rows[:48])))
    assert torch.equal(trained[0], trained[1])
    assert not torch.equal(trained[0], trained[2])


def test_loss_falls_and_training_clips_are_learned(corpus: Corpus, clips: ClipSource) -> None:
    recipe = tiny("none", epochs=12, learning_rate=1e-2, frequency_mask=0, base_channels=16)
    reports: list[EpochReport] = []
    network = Trainer(recipe, clips, corpus.scenes).fit(corpus.train_rows, reports.append)
    assert [report.epoch for report in reports] == list(range(12))
    assert reports[-1].loss < 0.7 * reports[0].loss
    predicted = predict_logits(network, clips, corpus.train_rows).argmax(axis=1)
    assert (predicted == corpus.labels[corpus.train_rows]).mean() > 0.4, "ten scenes: chance is 0.1"


def test_student_comes_to_agree_with_its_teacher(corpus: Corpus, clips: ClipSource) -> None:
    """A teacher that calls every scene by the next one's name, and no weight on the labels."""
    wrong = (corpus.labels + 1) % 10
    targets = SoftTargets(8.0 * np.eye(10, dtype=np.float32)[wrong], temperature=2.0, label_weight=0.0)
    recipe = tiny("none", epochs=12, learning_rate=1e-2, frequency_mask=0, base_channels=16)
    network = Trainer(recipe, clips, corpus.scenes, soft_targets=targets).fit(corpus.train_rows)
    predicted = predict_logits(network, clips, corpus.train_rows).argmax(axis=1)
    rows = corpus.train_rows
    assert (predicted == wrong[rows]).mean() > (predicted == corpus.labels[rows]).mean() + 0.2


def test_loss_that_is_not_finite_stops_with_a_clear_error(corpus: Corpus, clips: ClipSource) -> None:
    logits = np.full((len(corpus.clips), 10), np.nan, dtype=np.float32)
    targets = SoftTargets(logits, temperature=2.0, label_weight=0.5)
    with pytest.raises(NotFiniteError, match=r"became nan in epoch 1; lower the learning_rate"):
        Trainer(tiny("none"), clips, corpus.scenes, soft_targets=targets).fit(corpus.train_rows[:40])


def test_mixup_trains_on_labels_and_on_teachers(corpus: Corpus, clips: ClipSource) -> None:
    targets = SoftTargets(np.zeros((len(corpus.clips), 10), dtype=np.float32), 2.0, 0.5)
    for soft_targets in (None, targets):
        losses: list[float] = []
        trainer = Trainer(tiny("none", mixup_alpha=0.3), clips, corpus.scenes, soft_targets=soft_targets)
        trainer.fit(corpus.train_rows[:64], lambda report, to=losses: to.append(report.loss))
        assert len(losses) == 1
        assert np.isfinite(losses[0])


def test_dir_changes_what_is_learned(corpus: Corpus, clips: ClipSource, responses: np.ndarray) -> None:
    plain = Trainer(tiny("none"), clips, corpus.scenes, responses).fit(corpus.train_rows[:48])
    convolved = Trainer(tiny("dir"), clips, corpus.scenes, responses).fit(corpus.train_rows[:48])
    assert not torch.equal(weights(plain), weights(convolved))


def test_callback_can_stop_the_training(corpus: Corpus, clips: ClipSource) -> None:
    def stop(report: EpochReport) -> None:
        raise StopIteration

    with pytest.raises(StopIteration):
        Trainer(tiny("none", epochs=5), clips, corpus.scenes).fit(corpus.train_rows[:40], stop)


def test_logits_do_not_depend_on_the_batch_they_were_made_in(corpus: Corpus, clips: ClipSource) -> None:
    network = Trainer(tiny("none"), clips, corpus.scenes).fit(corpus.train_rows[:40])
    together = predict_logits(network, clips, corpus.test_rows[:9])
    alone = np.concatenate([predict_logits(network, clips, row[None]) for row in corpus.test_rows[:9]])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert predict_logits(network, clips, corpus.test_rows[:0]).shape == (0, 10)
