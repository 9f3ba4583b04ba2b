"""The distillation loss and the schedule are the published ones."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from asc_experiments.training.losses import distillation_loss, label_loss
from asc_experiments.training.schedule import cosine_factor, learning_rate_factor


def test_distillation_loss_is_the_published_one(shared: Path) -> None:
    golden = np.load(shared / "parity" / "kd_loss.npz")
    student, teacher, labels = (torch.from_numpy(golden[name]) for name in ("student", "teacher", "labels"))
    loss = distillation_loss(student, teacher, labels, float(golden["temperature"]), float(golden["lam"]))
    assert loss.shape == (8,)
    assert float(loss.mean()) == pytest.approx(float(golden["total"]), abs=1e-4)
    assert float(label_loss(student, labels).mean()) == pytest.approx(float(golden["label_loss"]), abs=1e-4)


def test_schedules_are_the_published_ones(shared: Path) -> None:
    golden = np.load(shared / "parity" / "lr_schedule.npz")
    assert len(golden.files) == 3
    for name in golden.files:
        warmup, length, start, last = name.split("_")
        factors = [learning_rate_factor(e, int(warmup), int(start), int(length), float(last)) for e in range(150)]
        np.testing.assert_allclose(factors, golden[name], atol=1e-4)


def test_kl_is_averaged_over_classes_too() -> None:
    torch.manual_seed(0)
    student, teacher, labels = torch.randn(4, 10), torch.randn(4, 10), torch.zeros(4, dtype=torch.long)
    ours = distillation_loss(student, teacher, labels, 2.0, 0.0).mean()
    batchmean = F.kl_div(
        F.log_softmax(student / 2, -1), F.log_softmax(teacher / 2, -1), reduction="batchmean", log_target=True
    )
    torch.testing.assert_close(ours, 4 * batchmean / 10)


def test_full_label_weight_leaves_only_the_labels() -> None:
    student, teacher, labels = torch.randn(4, 10), torch.randn(4, 10), torch.tensor([1, 2, 3, 4])
    torch.testing.assert_close(distillation_loss(student, teacher, labels, 3.0, 1.0), label_loss(student, labels))


def test_student_that_equals_its_teacher_has_no_divergence() -> None:
    logits, labels = torch.randn(4, 10), torch.zeros(4, dtype=torch.long)
    assert float(distillation_loss(logits, logits, labels, 2.0, 0.0).abs().max()) < 1e-6


def test_schedule_warms_up_stays_and_ramps_down() -> None:
    factors = [learning_rate_factor(epoch, 4, 6, 4, 0.1) for epoch in range(14)]
    assert factors[:4] == sorted(factors[:4])
    assert factors[0] == pytest.approx(np.exp(-5 * 0.875**2))
    assert factors[4:7] == [1.0, 1.0, 1.0]
    np.testing.assert_allclose(factors[7:], [0.775, 0.55, 0.325, 0.1, 0.1, 0.1, 0.1])


def test_cosine_is_a_linear_warm_up_and_half_a_cosine_step_by_step() -> None:
    """As the baseline of DCASE 2024 sets it: a factor for each step, of which an epoch has four here."""
    factors = [cosine_factor(step / 4, 2, 2, 8, 0.0) for step in range(40)]
    np.testing.assert_allclose(factors[:8], np.arange(8) / 8)
    np.testing.assert_allclose(factors[8:], 0.5 * (1 + np.cos(np.pi * np.arange(32) / 32)))
    assert [cosine_factor(epoch, 0, 3, 2, 0.1) for epoch in (0, 3, 5, 9)] == pytest.approx([1, 1, 0.1, 0.1])


def test_equal_logits_train_the_student_with_the_labels_share_only() -> None:
    logits, labels = torch.randn(4, 10), torch.tensor([1, 2, 3, 4])
    torch.testing.assert_close(distillation_loss(logits, logits, labels, 2.0, 0.3), 0.3 * label_loss(logits, labels))
