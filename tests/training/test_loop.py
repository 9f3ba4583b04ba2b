"""Training is reproducible, learns, and stops where there is nothing to learn from."""

from pathlib import Path

import numpy as np
import pytest
import torch

from asc_experiments.base.errors import AscError, NotFiniteError
from asc_experiments.corpus import Corpus, prepare
from asc_experiments.corpus.impulse_responses import load_impulse_responses
from asc_experiments.corpus.segments import Segments
from asc_experiments.training import (
    KL,
    ClipSource,
    EpochReport,
    Recipe,
    SceneNetwork,
    SoftTargets,
    Trainer,
    make_recipe,
)
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


@pytest.fixture(scope="module")
def short(corpus: Corpus, cache: Path) -> tuple[ClipSource, np.ndarray]:
    """A quarter of a second of the first six scenes' training clips: enough to learn something from in seconds."""
    waveforms = np.ascontiguousarray(prepare(corpus, cache).waveforms[:, :8_000])
    source = ClipSource(waveforms, corpus.labels, corpus.device_of == "a", torch.device("cpu"))
    return source, corpus.train_rows[corpus.labels[corpus.train_rows] < 6]


def learning() -> Recipe:
    plain = {"frequency_mask": 0, "roll": 0, "fmax_jitter": 0}
    return tiny("none", epochs=12, batch_size=16, learning_rate=2e-2, **plain)


def tiny(augment: str = "dirfms", **settings: object) -> Recipe:
    return make_recipe("cp_mobile", augment, **({"base_channels": 8, "epochs": 1, "batch_size": 32} | settings))


def weights(network: SceneNetwork) -> torch.Tensor:
    return torch.cat([value.flatten().double() for value in network.model.state_dict().values()])


@pytest.mark.parametrize("arch", ["cp_mobile", "cp_mobile_2024", "cp_resnet", "passt"])
def test_same_seed_gives_the_same_network_bit_for_bit(
    arch: str, corpus: Corpus, clips: ClipSource, responses: np.ndarray
) -> None:
    size = {"cp_resnet": {"base_channels": 10}, "passt": {"size": "xxs"}}.get(arch, {"base_channels": 8})
    trained = []
    for seed in (0, 0, 1):
        recipe = make_recipe(arch, "dirfms", epochs=1, batch_size=32, seed=seed, **size)
        torch.rand(7)  # whatever else used the global generator does not matter
        trained.append(weights(Trainer(recipe, clips, corpus.scenes, responses).fit(corpus.train_rows[:48])))
    assert torch.equal(trained[0], trained[1])
    assert not torch.equal(trained[0], trained[2])


def test_loss_falls_and_training_clips_are_learned(corpus: Corpus, short: tuple[ClipSource, np.ndarray]) -> None:
    clips, rows = short
    reports: list[EpochReport] = []
    network = Trainer(learning(), clips, corpus.scenes).fit(rows, reports.append)
    assert [report.epoch for report in reports] == list(range(12))
    assert reports[-1].loss < 0.7 * reports[0].loss, "0.25 to 0.29 over three seeds"
    predicted = predict_logits(network, clips, rows).argmax(axis=1)
    assert (predicted == corpus.labels[rows]).mean() > 0.5, "six scenes: chance is 0.17; 0.95 over three seeds"


def test_student_comes_to_agree_with_its_teacher(corpus: Corpus, short: tuple[ClipSource, np.ndarray]) -> None:
    """A teacher that calls every scene by the next one's name, and no weight on the labels."""
    wrong = (corpus.labels + 1) % 10
    targets = SoftTargets(8.0 * np.eye(10, dtype=np.float32)[wrong], KL(temperature=2.0, label_weight=0.0))
    clips, rows = short
    network = Trainer(learning(), clips, corpus.scenes, soft_targets=targets).fit(rows)
    predicted = predict_logits(network, clips, rows).argmax(axis=1)
    assert (predicted == wrong[rows]).mean() > (predicted == corpus.labels[rows]).mean() + 0.3


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_loss_that_is_not_finite_stops_with_a_clear_error(corpus: Corpus, clips: ClipSource, value: float) -> None:
    logits = np.full((len(corpus.clips), 10), value, dtype=np.float32)
    targets = SoftTargets(logits, KL(temperature=2.0, label_weight=0.5))
    with pytest.raises(NotFiniteError, match=r"became nan in epoch 1; lower the learning_rate"):
        Trainer(tiny("none"), clips, corpus.scenes, soft_targets=targets).fit(corpus.train_rows[:40])


def test_mixup_trains_on_labels_and_on_teachers(corpus: Corpus, clips: ClipSource) -> None:
    targets = SoftTargets(np.zeros((len(corpus.clips), 10), dtype=np.float32), KL(temperature=2.0, label_weight=0.5))
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


def test_dir_without_responses_is_refused(corpus: Corpus, clips: ClipSource) -> None:
    with pytest.raises(ValueError, match="dir needs impulse responses"):
        Trainer(tiny("dir"), clips, corpus.scenes)


def test_segment_crop_changes_what_is_learned(corpus: Corpus, clips: ClipSource) -> None:
    rows = np.arange(len(corpus.clips))
    segments = Segments(rows, rows // 10 * 10, np.full(len(rows), 10))  # as if every ten clips were one recording
    plain = Trainer(tiny("none"), clips, corpus.scenes, segments=segments).fit(rows[:40])
    cropped = Trainer(tiny("none", segment_crop=1.0), clips, corpus.scenes, segments=segments).fit(rows[:40])
    assert not torch.equal(weights(plain), weights(cropped))


def test_segment_crop_with_teachers_is_refused(corpus: Corpus, clips: ClipSource) -> None:
    targets = SoftTargets(np.zeros((len(corpus.clips), 10), dtype=np.float32), KL(temperature=2.0, label_weight=0.5))
    with pytest.raises(AscError, match=r"cp_mobile-8-none-s0 segment_crop: needs labels only.*set segment_crop"):
        Trainer(tiny("none", segment_crop=0.5), clips, corpus.scenes, soft_targets=targets)


def test_learning_rate_follows_the_schedule(corpus: Corpus, clips: ClipSource) -> None:
    recipe = tiny("none", epochs=3, warmup_epochs=1, rampdown_start=0, rampdown_epochs=2, last_factor=0.1)
    rates: list[float] = []
    Trainer(recipe, clips, corpus.scenes).fit(corpus.train_rows[:4], lambda report: rates.append(report.learning_rate))
    warm_up = np.exp(-5.0 * 0.5**2)
    np.testing.assert_allclose(rates, 9e-4 * np.array([warm_up, 0.55, 0.1]))


def test_cosine_schedule_sets_the_learning_rate_of_every_step(
    corpus: Corpus, clips: ClipSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = {"epochs": 2, "warmup_epochs": 1, "rampdown_start": 1, "rampdown_epochs": 1, "last_factor": 0.0}
    trainer = Trainer(tiny("none", batch_size=2, schedule="cosine", **lengths), clips, corpus.scenes)
    rates: list[float] = []
    monkeypatch.setattr(
        trainer, "_step", lambda _: rates.append(trainer.optimiser.param_groups[0]["lr"]) or torch.ones(())
    )
    trainer.fit(corpus.train_rows[:8])
    down = 0.5 * (1 + np.cos(np.pi * np.arange(4) / 4))
    np.testing.assert_allclose(rates, 9e-4 * np.concatenate([np.arange(4) / 4, down]))


def test_adamw_decays_weights_apart_from_the_gradient(corpus: Corpus, clips: ClipSource) -> None:
    kinds = {
        name: type(Trainer(tiny("none", optimiser=name), clips, corpus.scenes).optimiser) for name in ("adam", "adamw")
    }
    assert kinds == {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@pytest.mark.parametrize("training", [True, False])
def test_predicting_keeps_the_networks_mode_and_weights(corpus: Corpus, clips: ClipSource, training: bool) -> None:
    network = SceneNetwork(tiny("none"), corpus.scenes).train(training)
    before = weights(network)
    predict_logits(network, clips, corpus.test_rows[:4])
    assert network.training == training
    assert torch.equal(weights(network), before)


def test_callback_can_stop_the_training(corpus: Corpus, clips: ClipSource) -> None:
    def stop(report: EpochReport) -> None:
        raise StopIteration

    with pytest.raises(StopIteration):
        Trainer(tiny("none", epochs=5), clips, corpus.scenes).fit(corpus.train_rows[:40], stop)


@pytest.mark.parametrize("arch", ["cp_mobile", "cp_resnet"])
def test_logits_are_the_same_digits_on_any_number_of_threads(corpus: Corpus, clips: ClipSource, arch: str) -> None:
    network = SceneNetwork(make_recipe(arch), corpus.scenes)
    rows = np.arange(len(corpus.clips))[:70]  # batches of 32, 32 and 6
    before = torch.get_num_threads()
    said = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            said.append(predict_logits(network, clips, rows))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(said[0], said[1])
    np.testing.assert_array_equal(said[0], said[2])


def test_logits_do_not_depend_on_the_batch_they_were_made_in(corpus: Corpus, clips: ClipSource) -> None:
    network = Trainer(tiny("none"), clips, corpus.scenes).fit(corpus.train_rows[:40])
    together = predict_logits(network, clips, corpus.test_rows[:9])
    alone = np.concatenate([predict_logits(network, clips, row[None]) for row in corpus.test_rows[:9]])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert predict_logits(network, clips, corpus.test_rows[:0]).shape == (0, 10)
