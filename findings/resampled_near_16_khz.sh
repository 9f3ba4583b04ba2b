#!/bin/sh
# What:    soxr 1.1.0 (quality HQ) and torchaudio 2.11.0 (functional.resample, its defaults) from 44.1 to 32 kHz, and the
#          log-mels that torchaudio's MelSpectrogram makes of both: 256 mels from 0 to 16 kHz, log(mel + 1e-5), as the
#          baseline of DCASE 2024 and 2025 task 1 has them, without normalisation.
# Guess:   both are good resamplers, so that log-mels differ by a few hundredths at most.
# Found:   below 12 kHz they do. From there torchaudio's short filter falls slowly, by 0.5 at 14.4 kHz, and at 15.8 kHz has
#          hardly fallen; soxr's falls to silence there. Of white noise the last mel differs by 8 in the natural logarithm.
# Why it matters: a network that hears up to 16 kHz without normalisation answers differently to the same recording.
# Seen:    2026-11-30: resampled_near_16_khz: mean difference of log-mels: 0.001 in the lowest 224 of 256, 0.15 to 8.0 in the highest 16
. "$(dirname "$0")/venv.inc"
in_venv soxr==1.1.0 torch==2.11.0 torchaudio==2.11.0 numpy==2.4.6 <<'PYTHON'
import numpy as np
import soxr
import torch
import torchaudio

noise = (0.05 * np.random.default_rng(0).normal(size=(32, 44_100))).astype(np.float32)
by_soxr = torch.from_numpy(np.stack([soxr.resample(clip, 44_100, 32_000, "HQ") for clip in noise]))
by_torchaudio = torchaudio.functional.resample(torch.from_numpy(noise), 44_100, 32_000)
mels = torchaudio.transforms.MelSpectrogram(32_000, n_fft=4096, win_length=3072, hop_length=500, n_mels=256)
one, other = ((mels(waveforms) + 1e-5).log() for waveforms in (by_soxr, by_torchaudio))
apart = (one - other).abs().mean(dim=(0, 2))
print(
    f"resampled_near_16_khz: mean difference of log-mels: {apart[:224].mean():.3f} in the lowest 224 of 256, "
    f"{apart[-16:].min():.2f} to {apart[-16:].max():.1f} in the highest 16"
)
assert apart[:224].max() < 0.05 and apart[-16:].min() > 0.1 and apart[-1] > 5, "the behaviour has changed"
PYTHON
