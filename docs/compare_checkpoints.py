"""Compare this program with the inference package of DCASE 2025's winner, with its published checkpoint.

The figures of docs/explanation/published-systems.md, "The baseline's checkpoints", were made with it. The package
needs torchvision, and torchinfo, which this program has::

    git clone https://github.com/turquenite/dcase2025_task1_inference
    .venv/bin/python -m pip install --no-deps torchvision==0.26.0
    .venv/bin/python docs/compare_checkpoints.py dcase2025_task1_inference
"""

from __future__ import annotations

import copy
import importlib
import sys
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor, nn
from torchaudio.functional import resample

from asc_experiments.models import LogMel, build_model, measure_complexity
from asc_experiments.training.weights import read_state_dict

ARCH, DEVICES = "cp_mobile_2024", ("", "a", "b", "c", "s1", "s2", "s3")


def noise(slope: float, clips: int, rate: int) -> Tensor:
    """One second of noise whose power falls with frequency to the power of ``slope``; ``(clips, rate)`` float32."""
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=(clips, rate)))
    frequencies = np.maximum(np.fft.rfftfreq(rate, 1 / rate), 1.0)
    waveforms = np.fft.irfft(spectrum * frequencies ** (-slope / 2))
    return torch.from_numpy((0.05 * waveforms / waveforms.std(axis=1, keepdims=True)).astype(np.float32))


def apart(one: Tensor, other: Tensor) -> float:
    """The largest difference."""
    return float((one.float() - other.float()).abs().max())


@torch.no_grad()
def main(package: Path) -> None:
    """Print how far log-mels, logits and counts are apart."""
    sys.path.append(str(package))
    theirs = importlib.import_module("Karasin_JKU_task1.Karasin_JKU_task1_4")
    counted = importlib.import_module("complexity")
    checkpoint = package / "Karasin_JKU_task1" / "ckpts" / "sys4.ckpt"
    loaded, frontend = theirs.load_model(str(checkpoint)), LogMel.for_arch(ARCH)

    def log_mels(waveforms: Tensor) -> Tensor:
        return (loaded.mel(waveforms[:, None]) + 1e-5).log()

    loud = torch.logspace(-2, 1, 64)[:, None]
    waveforms = torch.cat([loud * noise(slope, 64, 32_000) for slope in (0.0, 1.0, 2.0)]).clamp(-1, 1)
    features = log_mels(waveforms)
    print(f"log-mels: {apart(features, frontend(waveforms)):.1e}")
    for device in DEVICES:
        network = build_model(ARCH).eval()
        network.load_state_dict(read_state_dict(checkpoint, device))
        half: nn.Module = theirs.get_model_for_device(loaded, device or "unknown")
        whole = copy.deepcopy(half).float()
        ours, in_half = network(frontend(waveforms)), half(features.half())
        same = float((ours.argmax(1) == in_half.argmax(1)).float().mean())
        print(
            f"{device or 'general'}: logits to {apart(ours, whole(features)):.1e} in float32, to "
            f"{apart(ours, in_half):.3f} in half precision; {100 * same:.1f} % of the answers are the same"
        )
    costs = measure_complexity(network.half(), *features.shape[2:])
    print(
        f"MACs and bytes by their script {counted.get_torch_macs_memory(half, (1, *features.shape[1:]))}; here {costs}"
    )
    for slope in (0.0, 1.0, 2.0, 3.0):
        recorded = noise(slope, 64, 44_100)
        by_soxr = torch.from_numpy(np.stack([soxr.resample(clip, 44_100, 32_000, "HQ") for clip in recorded.numpy()]))
        one, other = (whole(log_mels(each)) for each in (by_soxr, resample(recorded, 44_100, 32_000)))
        changed = float((one.argmax(1) != other.argmax(1)).float().mean())
        print(
            f"resampled by soxr, 1/f^{slope:g}: logits to {apart(one, other):.2f}, {100 * changed:.0f} % other answers"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
