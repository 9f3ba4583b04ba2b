"""Trainings on a device: they resume where they were, learn in bfloat16 what they learn in float32, share a GPU."""

from pathlib import Path

import numpy as np
import pytest
import torch

from asc_experiments.study.executors.local import WorkerPool
from asc_experiments.training import Checkpoint, EpochRecord, EpochReport, Trainer, precision
from asc_experiments.training.loop import predict_logits
from tests.gpu.made import ARCHES, COUNT, clips, trainer

ROWS = np.arange(COUNT)
RESUMED = 3e-2
"""How far logits may be apart after some epochs of the same, as a part of the largest: a GPU adds in no fixed order."""
LEARNS_QUICKLY = {
    "epochs": 4, "learning_rate": 3e-3, "warmup_epochs": 0, "rampdown_start": 4, "roll": 0, "frequency_mask": 0,
    "time_mask": 0, "dir_probability": 0.0, "fms_probability": 0.0, "mixup_alpha": 0.0, "segment_crop": 0.0,
}  # fmt: skip


class Killed(BaseException):
    pass


def state_of(training: Trainer) -> dict[str, torch.Tensor]:
    """Everything that a training learns by, on the host."""
    learned = training.optimiser.state_dict()["state"]
    of_optimiser = {f"{number} {name}": value for number, each in learned.items() for name, value in each.items()}
    everything = training.network.state_dict() | training.heads.state_dict() | of_optimiser
    return {name: value.detach().cpu().clone() for name, value in everything.items()}


def logits_of(training: Trainer) -> np.ndarray:
    return predict_logits(training.network, training.clips, ROWS)


def assert_same(device: torch.device, found: np.ndarray, expected: np.ndarray) -> None:
    """Bit for bit on a processor, and within what a GPU's order of additions makes of it there."""
    allowed = 0.0 if device.type == "cpu" else RESUMED * float(np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)


@pytest.mark.parametrize("learns_from", ["labels", "features"])
@pytest.mark.parametrize("arch", ARCHES)
def test_killed_training_resumes_in_the_state_it_was_in_and_ends_the_same(
    device: torch.device, arch: str, learns_from: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASC_PRECISION", "float32")
    source, checkpoint = clips(device), Checkpoint(tmp_path / "x.ckpt", {"recipe": "tiny"}, "student")

    def make() -> Trainer:
        return trainer(source, arch, learns_from, epochs=3)

    def train(until: int | None = None) -> Trainer:
        torch.rand(7, device=device)  # whatever else used the global generators does not matter
        training, history = checkpoint.resume(make)
        if history:
            resumed = state_of(training)
            assert {name for name in left if not torch.equal(left[name], resumed[name])} == set()
            assert left.keys() == resumed.keys()

        def after_epoch(report: EpochReport) -> None:
            history.append(EpochRecord({"loss": report.loss}, {}))
            checkpoint.save(training, history)
            left.clear()
            left.update(state_of(training))
            if report.epoch + 1 == until:
                raise Killed

        training.fit(ROWS, after_epoch)
        return training

    left: dict[str, torch.Tensor] = {}
    for epoch in (1, 2):
        with pytest.raises(Killed):
            train(epoch)
    whole = make()
    whole.fit(ROWS)
    assert_same(device, logits_of(train()), logits_of(whole))


@pytest.mark.parametrize("arch", ARCHES)
def test_bfloat16_learns_what_float32_learns(device: torch.device, arch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three seeds, the mean curves differ by less than twice the standard error that chance gives them."""
    monkeypatch.setattr(precision, "_multiplies_bfloat16", lambda: True)
    source = clips(device)

    def curve(numbers: str, seed: int) -> list[float]:
        monkeypatch.setenv("ASC_PRECISION", numbers)
        training, losses = trainer(source, arch, seed=seed, **LEARNS_QUICKLY), []
        training.fit(ROWS, lambda report: losses.append(report.loss))
        return losses

    exact, rounded = (np.array([curve(numbers, seed) for seed in range(3)]) for numbers in ("float32", "auto"))
    assert not np.array_equal(exact, rounded)
    assert (rounded[:, -1] < rounded[:, 0]).all(), "it learns"
    by_chance = exact.std(axis=0, ddof=1).mean() * np.sqrt(2 / len(exact))
    assert np.abs(rounded.mean(axis=0) - exact.mean(axis=0)).mean() < 2 * by_chance


def train_alone(device: torch.device, seed: int) -> tuple[np.ndarray, str]:
    """The logits of a student of a seed, trained in whichever process; and where it was."""
    torch.set_num_threads(1)
    training = trainer(clips(device), "cp_mobile", "kl", seed=seed)
    training.fit(ROWS)
    return logits_of(training), str(next(training.network.parameters()).device.type)


def test_students_side_by_side_are_those_that_are_trained_singly(
    device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASC_PRECISION", "float32")
    before = torch.get_num_threads()
    expected = [train_alone(device, seed)[0] for seed in range(2)]
    torch.set_num_threads(before)
    pool = WorkerPool(2)
    try:
        found = [future.result() for future in [pool.submit(train_alone, device, seed) for seed in range(2)]]
    finally:
        pool.shutdown()
    for (logits, where), singly in zip(found, expected, strict=True):
        assert where == device.type
        assert_same(device, logits, singly)
    assert not np.array_equal(expected[0], expected[1])
