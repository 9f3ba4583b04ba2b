"""The sparse mel banks are Kaldi's and torchaudio's, and the frontend in pieces is the frontend in one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchaudio.compliance.kaldi import get_mel_banks
from torchaudio.functional import melscale_fbanks
from torchaudio.transforms import MelSpectrogram

from asc_experiments.models import LogMel
from asc_experiments.models.frontend import FRONTENDS
from asc_experiments.models.mel import dense, mel_bank, mel_blocks


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


@settings(max_examples=30, deadline=None)
@given(
    st.integers(4, 300), st.sampled_from([256, 512, 1024, 4096]), st.sampled_from([8_000, 16_000, 32_000, 44_100]),
    st.floats(0.3, 0.5),
)  # fmt: skip
def test_bank_of_triangles_over_hz_is_torchaudios(mels: int, n_fft: int, sample_rate: int, part: float) -> None:
    fmax = part * sample_rate
    blocks = mel_blocks(mels, n_fft, sample_rate, 0.0, fmax, "htk")
    expected = melscale_fbanks(n_fft // 2 + 1, 0.0, fmax, mels, sample_rate)
    assert torch.equal(dense(blocks, n_fft), expected.T)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(4, 300), st.sampled_from([256, 512, 1024, 4096]), st.sampled_from([8_000, 16_000, 32_000, 44_100]),
    st.floats(0.3, 0.5), st.sampled_from(["kaldi", "htk"]),
)  # fmt: skip
def test_bank_that_a_gpu_makes_is_the_same_as_one_matrix(
    mels: int, n_fft: int, sample_rate: int, part: float, triangles: str
) -> None:
    settings_ = (mels, n_fft, sample_rate, 20.0, part * sample_rate, triangles)
    assert torch.equal(mel_bank(*settings_), dense(mel_blocks(*settings_), n_fft))


def test_log_mels_of_the_2024_baseline_are_torchaudios_mel_spectrogram_without_normalisation() -> None:
    """As the baseline of DCASE 2024 and 2025 computes them; one second has 65 frames, since none is lost."""
    waveforms = torch.randn(5, 32_000, generator=torch.Generator().manual_seed(0)) * torch.tensor(
        [[1e-4], [1e-2], [0.1], [0.3], [0.0]]
    )
    theirs = MelSpectrogram(32_000, n_fft=4096, win_length=3072, hop_length=500, n_mels=256, f_min=0, f_max=None)
    expected = (theirs(waveforms) + 1e-5).log().unsqueeze(1)
    assert expected.shape == (5, 1, 256, 65)
    torch.testing.assert_close(LogMel.for_arch("cp_mobile_2024")(waveforms), expected, atol=1e-5, rtol=0)


def test_masks_are_filled_with_what_each_frontend_masks() -> None:
    """The winner masks normalised log-mels, the baseline of 2024 power, which is silence after the logarithm."""
    assert {name: shape.masked for name, shape in FRONTENDS.items() if name != "cp_mobile_2024"} == {
        "cp_mobile": 0.9, "cp_resnet": 0.9, "passt": 0.9,
    }  # fmt: skip
    silence = LogMel.for_arch("cp_mobile_2024")(torch.zeros(1, 4_000))
    assert silence.unique().tolist() == pytest.approx([FRONTENDS["cp_mobile_2024"].masked])


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
