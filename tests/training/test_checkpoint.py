"""A training that was interrupted resumes where it was, and ends bit for bit as if it had not been."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from asc_experiments.base.errors import NotFiniteError
from asc_experiments.corpus import Corpus, prepare
from asc_experiments.corpus.impulse_responses import load_impulse_responses
from asc_experiments.corpus.segments import Segments
from asc_experiments.training import (
    KL,
    Checkpoint,
    ClipSource,
    EpochRecord,
    EpochReport,
    SceneNetwork,
    SoftTargets,
    Trainer,
    make_recipe,
    open_checkpoint,
)
from asc_experiments.training.loop import predict_logits

TINY = {
    "cp_mobile": {"base_channels": 8},
    "cp_resnet": {"base_channels": 10},
    "passt": {"embed_dim": 16, "depth": 1, "num_heads": 2, "patchout_frequency": 2},
}
EVERYTHING = {"dir_probability": 0.6, "fms_probability": 0.6, "mixup_alpha": 0.3, "time_mask": 10, "roll": 4_000}
ABOUT = {"recipe": "tiny"}
ROWS = np.arange(40)
Make = Callable[..., Trainer]


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def corpus(synth_corpus: Path) -> Corpus:
    return Corpus.open(synth_corpus)


@pytest.fixture(scope="module")
def make(corpus: Corpus, synth_corpus: Path, cache: Path) -> Make:
    """Make a tiny Trainer that augments in every way."""
    waveforms = np.ascontiguousarray(prepare(corpus, cache).waveforms[:, :8_000])  # a quarter of a second
    clips = ClipSource(waveforms, corpus.labels, corpus.device_of == "a", torch.device("cpu"))
    responses = load_impulse_responses(synth_corpus / "dirs").responses

    rows = np.arange(len(corpus.clips))
    segments = Segments(rows, rows // 10 * 10, np.full(len(rows), 10))  # as if every ten clips were one recording

    def make_(arch: str = "cp_mobile", epochs: int = 3, targets: SoftTargets | None = None) -> Trainer:
        crop = 0.0 if targets else 0.5
        settings = EVERYTHING | TINY[arch] | {"epochs": epochs, "batch_size": 20, "segment_crop": crop}
        return Trainer(
            make_recipe(arch, "dirfms", **settings), clips, corpus.scenes, responses, targets, None, segments
        )

    return make_


def train(make: Callable[[], Trainer], checkpoint: Checkpoint, until: int | None = None) -> SceneNetwork:
    """Train with checkpoints, killed after epoch ``until`` (counted from 1)."""
    torch.rand(7)  # whatever else used the global generator does not matter
    trainer, history = checkpoint.resume(make)

    def after_epoch(report: EpochReport) -> None:
        history.append(EpochRecord({"loss": report.loss}, {}))
        checkpoint.save(trainer, history)
        if report.epoch + 1 == until:
            raise Killed

    return trainer.fit(ROWS, after_epoch)


def kill(make: Callable[[], Trainer], checkpoint: Checkpoint, until: int) -> None:
    with pytest.raises(Killed):
        train(make, checkpoint, until)


def same(one: SceneNetwork, other: SceneNetwork, clips: ClipSource) -> bool:
    states = [network.state_dict() for network in (one, other)]
    weights = all(torch.equal(states[0][name], states[1][name]) for name in states[0] | states[1])
    logits = [predict_logits(network, clips, np.arange(8)) for network in (one, other)]
    return weights and np.array_equal(*logits)


@pytest.mark.parametrize("distilled", [False, True], ids=["labels", "distilled"])
@pytest.mark.parametrize("arch", ["cp_mobile", "cp_resnet", "passt"])
def test_interrupted_after_every_epoch_it_ends_bit_identical(
    arch: str, distilled: bool, make: Make, corpus: Corpus, tmp_path: Path
) -> None:
    logits = np.random.default_rng(0).normal(size=(len(corpus.clips), 10)).astype(np.float32)
    targets = SoftTargets(logits, KL(temperature=2.0, label_weight=0.1)) if distilled else None

    def make_this() -> Trainer:
        return make(arch, targets=targets)

    whole = make_this().fit(ROWS)
    checkpoint = Checkpoint(tmp_path / "x.ckpt", ABOUT, "teacher")
    for epoch in (1, 2, 3):
        kill(make_this, checkpoint, epoch)
    assert same(train(make_this, checkpoint), whole, make_this().clips)


def test_what_was_reported_is_given_back(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = Checkpoint(tmp_path / "x.ckpt", ABOUT, "teacher tiny")
    history = [EpochRecord({"loss": 0.1 + 0.2, "odd": float("inf")}, {"validation/accuracy": 1 / 3})]
    trainer = make()
    trainer.epochs_done = 1
    checkpoint.save(trainer, history)
    resumed, found = checkpoint.resume(make)
    assert found == history
    assert resumed.epochs_done == 1
    assert capsys.readouterr().err == "teacher tiny: resumes after epoch 1 of 3\n"


@pytest.mark.parametrize("damage", ["truncated", "shortened", "emptied", "head", "digest", "middle", "last"])
def test_damaged_file_is_noticed_and_training_begins_again(
    damage: str, make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = Checkpoint(tmp_path / "x.ckpt", ABOUT, "teacher tiny")

    def make_short() -> Trainer:
        return make(epochs=2)

    kill(make_short, checkpoint, 1)
    data = bytearray(checkpoint.path.read_bytes())
    if damage in ("truncated", "shortened", "emptied"):
        data = data[: {"truncated": len(data) // 2, "shortened": -1, "emptied": 0}[damage]]
    else:
        data[{"head": 3, "digest": 40, "middle": len(data) // 2, "last": -1}[damage]] ^= 0x90
    checkpoint.path.write_bytes(data)
    network = train(make_short, checkpoint)
    assert "teacher tiny: its checkpoint cannot be used (it is damaged); begins again\n" in capsys.readouterr().err
    if damage == "middle":
        assert same(network, make_short().fit(ROWS), make_short().clips)


def test_file_of_another_training_is_not_used(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kill(make, Checkpoint(tmp_path / "x.ckpt", {"recipe": "other"}, "teacher"), 1)
    trainer, history = Checkpoint(tmp_path / "x.ckpt", ABOUT, "teacher").resume(make)
    assert (trainer.epochs_done, history) == (0, [])
    assert "it is another training's" in capsys.readouterr().err


def test_file_that_does_not_fit_the_network_is_not_used(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Written by another version of the code: the state is refused when part of it is taken over already."""
    checkpoint = Checkpoint(tmp_path / "x.ckpt", ABOUT, "teacher")
    kill(lambda: make("cp_resnet"), checkpoint, 1)
    trainer, history = checkpoint.resume(make)
    assert history == []
    assert same(trainer.network, make().network, trainer.clips)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_file_is_written_whole_or_not_at_all(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = Checkpoint(tmp_path / "x.ckpt", ABOUT, "teacher")
    kill(make, checkpoint, 1)
    before = checkpoint.path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        network = train(make, checkpoint)
    assert checkpoint.path.read_bytes() == before
    assert os.listdir(tmp_path) == ["x.ckpt"]
    assert same(network, make().fit(ROWS), make().clips)
    said = "teacher: no checkpoint can be written (No space left on device); continues without\n"
    assert capsys.readouterr().err.count(said) == 1


def test_folder_that_cannot_be_written_does_not_stop_the_training(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    with open_checkpoint(tmp_path, "1f", ABOUT, "teacher") as checkpoint:
        assert checkpoint is not None
        network = train(make, checkpoint)
    assert same(network, make().fit(ROWS), make().clips)
    assert capsys.readouterr().err.count("no checkpoint can be written") == 1


def test_lock_that_cannot_be_made_does_not_stop_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "locks").write_text("a file where the folder should be")
    with open_checkpoint(tmp_path, "1f", ABOUT, "teacher") as checkpoint:
        assert checkpoint is None
    assert "no checkpoint can be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "kept"),
    [(None, False), (KeyboardInterrupt(), True), (OSError(), True), (StopIteration(), False),
     (NotFiniteError("x", "y"), False)],
)  # fmt: skip
def test_file_is_kept_for_those_who_go_on(error: BaseException | None, kept: bool, tmp_path: Path) -> None:
    def run() -> None:
        with open_checkpoint(tmp_path, "1f", ABOUT, "teacher", given_up=(StopIteration,)) as checkpoint:
            assert checkpoint is not None
            checkpoint.path.parent.mkdir()
            checkpoint.path.touch()
            if error is not None:
                raise error

    if error is None:
        run()
    else:
        with pytest.raises(type(error)):
            run()
    assert (tmp_path / "checkpoints" / "1f.ckpt").exists() == kept


def test_only_one_of_two_at_once_has_the_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_checkpoint(tmp_path, "1f", ABOUT, "teacher") as first:
        assert first is not None
        first.path.parent.mkdir()
        first.path.touch()
        with open_checkpoint(tmp_path, "1f", ABOUT, "teacher") as second:
            assert second is None
        assert first.path.exists()
        with open_checkpoint(tmp_path, "2e", ABOUT, "teacher") as other:
            assert other is not None
    with open_checkpoint(tmp_path, "1f", ABOUT, "teacher") as third:
        assert third is not None
    assert capsys.readouterr().err == ""
