"""The baseline, as the published code goes: clips augmented one by one in a DataLoader, eager contiguous float32.

Written anew after the DCASE 2023 winner's training script (CP-JKU): DIR by SciPy's convolution and the roll per clip,
a mel bank per batch by torchaudio, its masks, Freq-MixStyle, and the published network and loss. It learns the same.
"""

from __future__ import annotations

import numpy as np
import torch
import torchaudio
from scipy.signal import convolve
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchaudio.compliance.kaldi import get_mel_banks

from asc_experiments.augment import freq_mixstyle
from asc_experiments.models import build_model
from asc_experiments.models.frontend import FRONTENDS
from asc_experiments.training import Recipe
from asc_experiments.training.losses import distillation_loss, label_loss

_SAMPLE_RATE = 32_000


class PlainClips(Dataset[tuple[Tensor, int, int]]):
    """Clips, each augmented when it is asked for: waveform ``(samples,)``, label, and row."""

    def __init__(
        self, waveforms: np.ndarray, labels: np.ndarray, is_reference: np.ndarray, recipe: Recipe, dirs: np.ndarray
    ) -> None:
        self.waveforms, self.labels, self.is_reference, self.dirs = waveforms, labels, is_reference, dirs
        self.augmentation = recipe.augmentation

    def __len__(self) -> int:
        return len(self.waveforms)

    def __getitem__(self, row: int) -> tuple[Tensor, int, int]:
        samples = self.waveforms[row].astype(np.float32) / 32768.0
        settings = self.augmentation
        if self.is_reference[row] and torch.rand(1).item() < settings.dir_probability:
            response = self.dirs[int(torch.randint(len(self.dirs), (1,)))]
            samples = convolve(samples, response, "full")[: len(samples)].astype(np.float32)
        waveform = torch.from_numpy(samples)
        if settings.roll:
            waveform = waveform.roll(int(torch.randint(-settings.roll, settings.roll + 1, (1,))))
        return waveform, int(self.labels[row]), row


class PlainTrainer:
    """Trains and evaluates one Recipe as the baseline.

    Args:
        recipe: what to train.
        scenes: number of scenes.
        device: where.
    """

    def __init__(self, recipe: Recipe, scenes: int, device: torch.device) -> None:
        shape = recipe.network.model_dump(exclude={"pretrained", "arch"})
        self.recipe, self.device = recipe, device
        self.model: nn.Module = build_model(recipe.arch, n_classes=scenes, **shape).to(device)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=recipe.optimisation.learning_rate)
        self.frontend = FRONTENDS[recipe.arch]
        self.window = torch.hann_window(self.frontend.window, periodic=False, device=device)
        self.masking = torchaudio.transforms.FrequencyMasking(
            max(recipe.augmentation.frequency_mask, 1), iid_masks=True
        )

    def log_mel(self, waveforms: Tensor, jitter: int = 0) -> Tensor:
        """``(batch, samples)`` to ``(batch, 1, mels, frames)``."""
        shape = self.frontend
        emphasised = nn.functional.conv1d(waveforms[:, None], waveforms.new_tensor([[[-0.97, 1.0]]]))[:, 0]
        spectrum = torch.stft(
            emphasised, shape.n_fft, shape.hop, shape.window, self.window, return_complex=True
        )  # fmt: skip
        power = torch.view_as_real(spectrum).pow(2).sum(dim=-1)
        fmax = shape.fmax + jitter - int(torch.randint(2 * jitter, (1,))) if jitter else shape.fmax
        bank, _ = get_mel_banks(
            shape.mels, shape.n_fft, float(_SAMPLE_RATE), shape.fmin, fmax,
            vtln_low=100.0, vtln_high=-500.0, vtln_warp_factor=1.0,
        )  # fmt: skip
        bank = nn.functional.pad(bank, (0, 1)).to(waveforms.device)
        return (((torch.matmul(bank, power) + 1e-5).log() + 4.5) / 5.0).unsqueeze(1)

    def step(self, features: Tensor, labels: Tensor, teacher: Tensor | None = None) -> Tensor:
        """One step on a batch of features."""
        logits = self.model(features)
        if teacher is None:
            loss = label_loss(logits, labels).mean()
        else:
            loss = distillation_loss(logits, teacher, labels, 2.0, 0.02).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.detach()

    def train_epoch(self, clips: PlainClips, teacher: Tensor | None, workers: int) -> float:
        """One pass over the clips in random order."""
        self.model.train()
        settings = self.recipe.augmentation
        loader = DataLoader(clips, self.recipe.optimisation.batch_size, shuffle=True, num_workers=workers)
        loss = torch.zeros(())
        for waveforms, labels, rows in loader:
            with torch.no_grad():
                features = self.log_mel(waveforms.to(self.device), settings.fmax_jitter)
                if settings.frequency_mask:
                    features = self.masking(features)
                if settings.fms_probability and np.random.random() < settings.fms_probability:
                    size = len(features)
                    share = torch.distributions.Beta(settings.fms_alpha, settings.fms_alpha).sample((size,))
                    partner = torch.randperm(size)
                    features = freq_mixstyle(features, share.to(self.device), partner.to(self.device))
            said = None if teacher is None else teacher[rows].to(self.device)
            loss = self.step(features, labels.to(self.device), said)
        return float(loss)

    @torch.no_grad()
    def evaluate(self, waveforms: np.ndarray, batch: int) -> Tensor:
        """Logits of clips ``(clips, samples)`` int16."""
        self.model.eval()
        pieces = []
        for first in range(0, len(waveforms), batch):
            floats = torch.from_numpy(waveforms[first : first + batch].astype(np.float32) / 32768.0).to(self.device)
            pieces.append(self.model(self.log_mel(floats)).cpu())
        return torch.cat(pieces)
