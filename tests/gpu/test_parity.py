"""In float32 a GPU computes what the processor computes: log-mels, logits, gradients, whole steps.

Rounding differs from kernel to kernel. So what is compared with is float64 where a network can do that; and where the
tests are tried on a processor, it computes by other kernels (PyTorch's own in place of oneDNN's).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from asc_experiments.models import LogMel
from asc_experiments.models.frontend import FRONTENDS
from asc_experiments.training.loop import predict_logits
from tests.gpu.made import ARCHES, COUNT, SCENES, clips, trainer, waveforms

CPU = torch.device("cpu")
LOG_MEL, LOGIT, GRADIENT, LOSS, LEARNED = 2e-4, 1e-4, 1e-3, 1e-3, 3e-2
"""Tolerances: of log-mels, which lie between -1 and 2; of logits as a part of the largest; of a parameter's gradient as
a part of its length; of a loss as a part of it; of logits after a step of Adam, which divides gradients by their size,
and so makes much of the smallest, as a part of the largest."""


@pytest.fixture(autouse=True)
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASC_PRECISION", "float32")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@contextmanager
def on(device: torch.device) -> Iterator[None]:
    """A block that computes on a device; on a processor by other kernels than usual."""
    with torch.backends.mkldnn.flags(enabled=device.type != "cpu"):
        yield


def network(arch: str) -> nn.Module:
    """A network whose every parameter counts: as they are initialised, some are zero."""
    model = trainer(clips(CPU), arch).network.model
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model


def features(arch: str) -> Tensor:
    return LogMel.for_arch(arch)(torch.from_numpy(waveforms(20) / 32_768.0).float())


def apart(one: Tensor, other: Tensor) -> float:
    """The largest difference, as a part of the largest value."""
    return float((one.double().cpu() - other.double().cpu()).abs().max() / other.abs().max())


@pytest.mark.parametrize("fmax", [None, 15_210.0], ids=["as it is", "moved"])
@pytest.mark.parametrize("arch", sorted(FRONTENDS))
def test_log_mels_are_those_of_the_processor(device: torch.device, arch: str, fmax: float | None) -> None:
    """Which multiplies by blocks of the bank; a GPU, or whoever wants gradients, by a whole one that is made there."""
    frontend, heard = LogMel.for_arch(arch), torch.from_numpy(waveforms(20) / 32_768.0).float()
    expected = frontend(heard, fmax=fmax)
    found = frontend.to(device)(heard.to(device).requires_grad_(device.type == "cpu"), fmax=fmax)
    assert found.device.type == device.type
    torch.testing.assert_close(found.detach().cpu(), expected, atol=LOG_MEL, rtol=0)


@pytest.mark.parametrize("arch", ARCHES)
def test_logits_are_those_of_float64(device: torch.device, arch: str) -> None:
    model, given = network(arch).eval(), features(arch)
    with torch.no_grad(), on(device):
        found = model.to(device)(given.to(device))
        expected = model.to(CPU).double()(given.double())
    assert found.dtype == torch.float32
    assert 0 < apart(found, expected) < LOGIT


def without_kinks(model: nn.Module) -> nn.Module:
    """The network with a smooth activation: at ReLU's kink rounding decides, and one value of 100,000 that lies on the
    other side changes gradients of CP-Mobile by a hundredth."""
    for module in list(model.modules()):
        for name, member in list(module.named_children()):
            if isinstance(member, nn.ReLU):
                setattr(module, name, nn.SiLU())
    return model


@pytest.mark.parametrize("arch", ARCHES)
def test_gradients_are_those_of_float64(device: torch.device, arch: str) -> None:
    model, given = without_kinks(network(arch)).train(), features(arch)
    labels = torch.arange(20) % len(SCENES)

    def gradients(of: nn.Module, where: torch.device, kind: torch.dtype) -> dict[str, Tensor]:
        of.zero_grad()
        torch.manual_seed(0)  # PaSST draws its patchout
        logits = of.to(where, kind)(given.to(where, kind))
        nn.functional.cross_entropy(logits, labels.to(where)).backward()
        return {name: each.grad.cpu().double() for name, each in of.named_parameters() if each.grad is not None}

    with on(device):
        found = gradients(model, device, torch.float32)
        expected = gradients(model, CPU, torch.float64)
    assert found.keys() == expected.keys()
    longest = max(each.norm() for each in expected.values())
    wrong = {
        name: float((found[name] - each).norm() / longest)
        for name, each in expected.items()
        if (found[name] - each).norm() > GRADIENT * each.norm() + 1e-6 * longest
    }
    assert wrong == {}


@pytest.mark.parametrize("learns_from", ["labels", "kl", "features"])
@pytest.mark.parametrize("arch", ARCHES)
def test_training_step_is_that_of_the_processor(device: torch.device, arch: str, learns_from: str) -> None:
    """With every augmentation, of which the host draws the random numbers; one step, so that little adds up."""

    def learned(where: torch.device) -> tuple[float, np.ndarray]:
        source = clips(where)
        training = trainer(source, arch, learns_from, batch_size=COUNT, epochs=1)
        loss = training.train_epoch(np.arange(COUNT))
        return loss, predict_logits(training.network, source, np.arange(COUNT))

    with on(device):
        loss, logits = learned(device)
    expected_loss, expected = learned(CPU)
    assert loss == pytest.approx(expected_loss, rel=LOSS)
    assert np.abs(logits - expected).max() < LEARNED * np.abs(expected).max()
