"""The sparse mel bank is Kaldi's, and the frontend in pieces is the frontend in one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchaudio.compliance.kaldi import get_mel_banks

from asc_experiments.models import LogMel
from asc_experiments.models.frontend import FRONTENDS
from asc_experiments.models.mel import dense, mel_blocks


def kaldis(mels: int, n_fft: int, sample_rate: int, fmin: float, fmax: float) -> torch.Tensor:
    bank, _ = get_mel_banks(mels, n_fft, float(sample_rate), fmin, fmax, 100.0, -500.0, 1.0)
    return torch.nn.functional.pad(bank, (0, 1))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FRONTENDS)), st.integers(0, 200), st.integers(10_000, 16_000))
def test_bank_is_kaldis_bit_for_bit_wherever_its_edges_are(arch: str, fmin: int, fmax: int) -> None:
    shape = FRONTENDS[arch]
    blocks = mel_blocks(shape.mels, shape.n_fft, 32_000, fmin, fmax)
    assert torch.equal(dense(blocks, shape.n_fft), kaldis(shape.mels, shape.n_fft, 32_000, fmin, fmax))


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 300), st.sampled_from([256, 512, 1024, 4096]), st.sampled_from([8_000, 16_000, 44_100]))
def test_bank_of_any_shape_is_kaldis(mels: int, n_fft: int, sample_rate: int) -> None:
    fmax = 0.45 * sample_rate  # filters narrower than a bin have none, in both
    assert torch.equal(
        dense(mel_blocks(mels, n_fft, sample_rate, 20.0, fmax), n_fft), kaldis(mels, n_fft, sample_rate, 20.0, fmax)
    )


@pytest.mark.parametrize("arch", sorted(FRONTENDS))
@pytest.mark.parametrize("fmax", [None, 14_501.0])
def test_a_few_clips_at_a_time_give_what_all_at_once_give(arch: str, fmax: float | None) -> None:
    waveforms = torch.randn(6, 8_000, generator=torch.Generator().manual_seed(0)) / 10
    frontend = LogMel.for_arch(arch)
    in_pieces = frontend(waveforms, fmax=fmax)
    at_once = frontend(waveforms.clone().requires_grad_(), fmax=fmax)  # a gradient has it done in one
    assert at_once.requires_grad
    torch.testing.assert_close(in_pieces, at_once.detach(), atol=1e-4, rtol=0)
    each = torch.cat([frontend(waveform[None], fmax=fmax) for waveform in waveforms])
    torch.testing.assert_close(in_pieces, each, atol=1e-5, rtol=0)


def test_features_are_float32_whatever_surrounds_the_frontend() -> None:
    frontend, waveforms = LogMel.for_arch("cp_mobile"), torch.rand(5, 4_000) - 0.5
    with torch.autocast("cpu", torch.bfloat16):
        features = frontend(waveforms)
    assert features.dtype == torch.float32
    assert torch.equal(features, frontend(waveforms))
