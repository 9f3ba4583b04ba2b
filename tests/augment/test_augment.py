"""Augmentation in batches equals what the papers say for one clip."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_experiments.augment import (
    AugmentationContext,
    AugmentationSettings,
    Augmenter,
    Batch,
    DeviceImpulseResponses,
    freq_mixstyle,
    mask,
    roll,
)
from asc_experiments.augment.augmentation import Stage


class Drawn:
    """The augmentation of a training, stage by stage."""

    def __init__(self, seed: int, context: AugmentationContext, settings: AugmentationSettings) -> None:
        self.augmenter = Augmenter(settings, np.random.default_rng(seed), context)

    def batch(self, is_reference: np.ndarray) -> Batch:
        return self.augmenter.batch(np.arange(len(is_reference)), is_reference, 15_500.0)

    def waveforms(self, waveforms: torch.Tensor, is_reference: np.ndarray) -> torch.Tensor:
        batch = self.batch(is_reference)
        batch.waveforms = waveforms
        self.augmenter.apply("waveforms", batch)
        return batch.waveforms

    def features(self, features: torch.Tensor) -> torch.Tensor:
        return self._after("features", features).features

    def mixup(self, features: torch.Tensor) -> Batch:
        return self._after("mixing", features)

    def upper_mel_edge(self) -> float:
        batch = self.batch(np.zeros(3, dtype=bool))
        batch.waveforms = torch.zeros(3, 10)
        self.augmenter.apply("waveforms", batch)
        return batch.fmax

    def _after(self, stage: Stage, features: torch.Tensor) -> Batch:
        batch = self.batch(np.zeros(len(features), dtype=bool))
        batch.features = features
        self.augmenter.apply(stage, batch)
        return batch


def augmenter(
    seed: int = 0, responses: DeviceImpulseResponses | None = None, fill: float = 0.0, **chosen: object
) -> Drawn:
    plain = {"frequency_mask": 0, "fmax_jitter": 0}
    context = AugmentationContext(fill=fill, responses=responses)
    return Drawn(seed, context, AugmentationSettings(**(plain | chosen)))


def test_dir_is_the_published_one(shared: Path) -> None:
    golden = np.load(shared / "parity" / "dir.npz")
    bank = DeviceImpulseResponses(golden["ir"][None], golden["x"].shape[1])
    convolved = bank(torch.from_numpy(golden["x"]), torch.zeros(len(golden["x"]), dtype=torch.long))
    np.testing.assert_allclose(convolved.numpy(), golden["y"], atol=1e-4)


def test_freq_mixstyle_is_the_published_one(shared: Path) -> None:
    golden = np.load(shared / "parity" / "freq_mixstyle.npz")
    x, weight, partner = (torch.from_numpy(golden[name]) for name in ("x", "lam", "perm"))
    np.testing.assert_allclose(freq_mixstyle(x, weight.flatten(), partner).numpy(), golden["y"], atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 50), st.lists(st.integers(-200, 200), min_size=1, max_size=4))
def test_roll_shifts_each_clip_by_its_own_amount(samples: int, shifts: list[int]) -> None:
    clips = torch.randn(len(shifts), samples)
    rolled = roll(clips, torch.tensor(shifts))
    for clip, shift, shifted in zip(clips, shifts, rolled, strict=True):
        torch.testing.assert_close(shifted, clip.roll(shift))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 300), st.integers(1, 400))
def test_dir_is_the_full_convolution_cut_to_the_clip(samples: int, taps: int) -> None:
    rng = np.random.default_rng(samples * 1_000 + taps)
    clips = rng.normal(size=(2, samples)).astype(np.float32)
    responses = rng.normal(size=(3, taps)).astype(np.float32)
    convolved = DeviceImpulseResponses(responses, samples)(torch.from_numpy(clips), torch.tensor([2, 0]))
    for clip, response, result in zip(clips, responses[[2, 0]], convolved.numpy(), strict=True):
        np.testing.assert_allclose(result, np.convolve(clip, response)[:samples], atol=2e-4)


def test_dir_touches_clips_of_the_reference_device_only() -> None:
    bank = DeviceImpulseResponses(np.full((1, 3), 0.5, dtype=np.float32), 100)
    clips = torch.randn(6, 100)
    is_reference = np.array([True, False, True, False, False, True])
    changed = augmenter(responses=bank, dir_probability=1.0).waveforms(clips, is_reference)
    differs = (changed != clips).any(dim=1).numpy()
    np.testing.assert_array_equal(differs, is_reference)


def test_dir_without_responses_is_refused() -> None:
    with pytest.raises(ValueError, match="impulse responses"):
        augmenter(dir_probability=0.5)


def test_mixstyle_with_full_weight_changes_nothing() -> None:
    features = torch.randn(4, 1, 8, 9)
    kept = freq_mixstyle(features, torch.ones(4), torch.tensor([1, 2, 3, 0]))
    torch.testing.assert_close(kept, features, atol=1e-5, rtol=1e-5)


def test_mixstyle_with_no_weight_takes_the_partners_statistics() -> None:
    features = torch.randn(3, 1, 8, 50) * torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1, 1)
    partner = torch.tensor([2, 0, 1])
    styled = freq_mixstyle(features, torch.zeros(3), partner)
    torch.testing.assert_close(styled.mean(dim=3), features[partner].mean(dim=3), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(styled.std(dim=3), features[partner].std(dim=3), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("dim", [2, 3])
def test_mask_covers_exactly_its_band(dim: int) -> None:
    features = torch.zeros(2, 1, 6, 7)
    masked = mask(features, torch.tensor([1, 4]), torch.tensor([3, 0]), dim, 9.0)
    expected = torch.zeros(2, 1, 6, 7)
    expected[0].narrow(dim - 1, 1, 3).fill_(9.0)
    assert torch.equal(masked, expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 48))
def test_masks_are_narrower_than_their_setting(seed: int, bound: int) -> None:
    features = torch.zeros(8, 1, 40, 5)
    masked = augmenter(seed, fill=1.0, frequency_mask=bound).features(features)
    rows = (masked == 1.0).all(dim=3).sum(dim=2)
    assert int(rows.max()) < min(bound, 40)


def test_widest_of_many_masks_is_one_less_than_their_setting() -> None:
    masked = augmenter(0, fill=1.0, frequency_mask=48).features(torch.zeros(2_000, 1, 256, 1))
    widths = (masked == 1.0).sum(dim=(1, 2, 3))
    assert (int(widths.min()), int(widths.max())) == (0, 47)


def test_same_seed_gives_the_same_augmentation() -> None:
    bank = DeviceImpulseResponses(np.random.default_rng(0).normal(size=(4, 30)).astype(np.float32), 200)
    results = []
    for _ in range(2):
        drawn = augmenter(3, bank, dir_probability=0.5, roll=50, fms_probability=1.0, frequency_mask=4)
        clips = drawn.waveforms(torch.ones(6, 200).cumsum(1), np.ones(6, dtype=bool))
        features = drawn.features(torch.arange(6 * 40.0).view(6, 1, 8, 5))
        results.append((clips, features, drawn.upper_mel_edge()))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert results[0][2] == results[1][2]


def test_other_seed_gives_another_augmentation() -> None:
    clips = torch.arange(6 * 200.0).view(6, 200)
    drawn = [augmenter(seed, roll=50).waveforms(clips, np.zeros(6, dtype=bool)) for seed in (3, 4)]
    assert not torch.equal(drawn[0], drawn[1])


def test_probability_of_zero_leaves_the_waveforms_alone() -> None:
    bank = DeviceImpulseResponses(np.full((1, 3), 0.5, dtype=np.float32), 50)
    clips = torch.randn(3, 50)
    untouched = augmenter(responses=bank, dir_probability=0.0, roll=0).waveforms(clips, np.ones(3, dtype=bool))
    assert torch.equal(untouched, clips)


def test_waveforms_that_come_in_are_not_modified() -> None:
    bank = DeviceImpulseResponses(np.full((1, 3), 0.5, dtype=np.float32), 50)
    clips = torch.randn(3, 50)
    before = clips.clone()
    changed = augmenter(responses=bank, dir_probability=1.0, roll=20).waveforms(clips, np.ones(3, dtype=bool))
    assert not torch.equal(changed, before)
    assert torch.equal(clips, before)


def test_mixstyle_comes_as_often_as_asked_for() -> None:
    drawn = augmenter(fms_probability=0.3)
    features = torch.randn(4, 1, 3, 6)
    changed = sum(not torch.equal(drawn.features(features), features) for _ in range(1_000))
    assert 240 < changed < 360


def test_nothing_asked_for_changes_nothing() -> None:
    idle = augmenter()
    clips, features = torch.randn(3, 50), torch.randn(3, 1, 4, 5)
    assert torch.equal(idle.waveforms(clips, np.ones(3, dtype=bool)), clips)
    assert torch.equal(idle.features(features), features)
    assert idle.mixup(features).mixture is None
    assert idle.upper_mel_edge() == 15_500.0


def test_upper_mel_edge_stays_within_its_jitter() -> None:
    jittering = augmenter(fmax_jitter=500)
    edges = [jittering.upper_mel_edge() for _ in range(2_000)]
    assert 15_000 < min(edges) < 15_050
    assert 15_950 < max(edges) <= 16_000


def test_mixup_blends_with_the_partner() -> None:
    features = torch.randn(5, 1, 4, 5)
    mixed = augmenter(mixup_alpha=0.3).mixup(features)
    assert mixed.mixture is not None
    share, partner = mixed.mixture
    for row in range(5):
        expected = share[row] * features[row] + (1 - share[row]) * features[partner[row]]
        torch.testing.assert_close(mixed.features[row], expected)
