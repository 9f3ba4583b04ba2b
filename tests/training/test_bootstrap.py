"""Differences between two networks and how sure they are."""

from collections.abc import Sequence

import numpy as np
import pytest

from asc_experiments.training import score
from asc_experiments.training.bootstrap import ScoredClips, paired_interval
from asc_experiments.training.scorecard import metric_names

DEVICES = ("a", "b", "s1", "s4")
GROUPS = {"a": "real", "b": "real", "s1": "seen", "s4": "unseen"}
SCENES = ("airport", "bus", "park/lake")


def clips_of(n: int, seed: int = 0) -> ScoredClips:
    rng = np.random.default_rng(seed)
    devices = np.array(DEVICES)[rng.integers(0, len(DEVICES), n)]
    return ScoredClips(rng.integers(0, len(SCENES), n), devices, GROUPS, SCENES)


def answers(correct: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Logits that are right where they should be."""
    said = np.where(correct, labels, (labels + 1) % len(SCENES))
    return 3 * np.eye(len(SCENES), dtype=np.float32)[said]


def card(logits: np.ndarray, clips: ScoredClips) -> dict[str, float]:
    return dict(score(logits, clips.labels, clips.devices, clips.groups, clips.scenes).metrics)


CLIPS = clips_of(150)
NAMES = metric_names(DEVICES, list(GROUPS.values()), SCENES)


def random_logits(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(CLIPS.labels), len(SCENES)))


@pytest.mark.parametrize("metric", NAMES)
def test_difference_is_that_of_the_scorecards(metric: str) -> None:
    ours, theirs = random_logits(1), random_logits(2)
    interval = paired_interval([ours], [theirs], CLIPS, metric)
    assert interval.difference == pytest.approx(card(ours, CLIPS)[metric] - card(theirs, CLIPS)[metric], abs=1e-12)
    assert interval.low < interval.high
    swapped = paired_interval([theirs], [ours], CLIPS, metric)
    assert (swapped.difference, swapped.low, swapped.high) == pytest.approx(
        (-interval.difference, -interval.high, -interval.low)
    )


@pytest.mark.parametrize("metric", ["accuracy/overall", "accuracy/macro", "loss/group/real", "accuracy/device/s4"])
def test_seeds_are_averaged(metric: str) -> None:
    ours, theirs = [random_logits(n) for n in (1, 2, 3)], [random_logits(n) for n in (4, 5)]
    means = [np.mean([card(each, CLIPS)[metric] for each in seeds]) for seeds in (ours, theirs)]
    assert paired_interval(ours, theirs, CLIPS, metric).difference == pytest.approx(means[0] - means[1])


@pytest.mark.parametrize("metric", ["accuracy/macro", "loss/overall", "device_generalization"])
def test_the_same_answers_differ_by_nothing(metric: str) -> None:
    logits = [random_logits(1)]
    interval = paired_interval(logits, logits, CLIPS, metric)
    assert (interval.difference, interval.low, interval.high) == (0, 0, 0)


def test_same_seed_gives_the_same_interval() -> None:
    pair = ([random_logits(1)], [random_logits(2)])
    assert paired_interval(*pair, CLIPS, "accuracy/macro") == paired_interval(*pair, CLIPS, "accuracy/macro")
    assert paired_interval(*pair, CLIPS, "accuracy/macro") != paired_interval(*pair, CLIPS, "accuracy/macro", seed=1)


def simulated(clips: ScoredClips, shared: np.ndarray, seed: int) -> tuple[Sequence[np.ndarray], Sequence[np.ndarray]]:
    """Networks that are right on 70 % and 60 % of clips; of the shared clips both find the same ones hard."""
    rng = np.random.default_rng(seed)
    ours, theirs = rng.random((2, len(clips.labels)))
    theirs = np.where(shared, ours, theirs)
    return [answers(ours < 0.7, clips.labels)], [answers(theirs < 0.6, clips.labels)]


@pytest.mark.parametrize("share", [0.0, 0.8])
def test_interval_holds_the_truth_as_often_as_it_says(share: float) -> None:
    held, simulations = 0, 120
    for number in range(simulations):
        clips = clips_of(200, number)
        shared = np.random.default_rng([number, 1]).random(200) < share
        interval = paired_interval(*simulated(clips, shared, number), clips, "accuracy/overall", seed=number)
        held += interval.low <= 0.1 <= interval.high
    assert 0.89 <= held / simulations <= 0.99


def test_pairing_narrows_the_interval_where_both_find_the_same_clips_hard() -> None:
    clips = clips_of(300)
    paired, unpaired = (
        paired_interval(*simulated(clips, np.full(300, share), 0), clips, "accuracy/overall") for share in (True, False)
    )
    assert 0 < paired.low < paired.difference < paired.high
    assert paired.high - paired.low < 0.6 * (unpaired.high - unpaired.low)


def test_clips_outside_of_a_group_do_not_count() -> None:
    ours, theirs = random_logits(1), random_logits(2)
    changed = np.where((CLIPS.devices == "s4")[:, None], ours, random_logits(3))
    one, two = (paired_interval([each], [theirs], CLIPS, "accuracy/group/unseen") for each in (ours, changed))
    assert one == two


def test_scene_that_is_rare_does_not_break_the_macro_average() -> None:
    labels = np.array([0] * 30 + [1] * 30 + [2])
    clips = ScoredClips(labels, np.array(["a", "b"] * 30 + ["s4"]), GROUPS, SCENES)
    for metric in ("accuracy/macro", "device_generalization"):
        interval = paired_interval([answers(labels < 2, labels)], [answers(labels < 1, labels)], clips, metric)
        assert np.isfinite([interval.low, interval.high]).all()


@pytest.mark.parametrize("metric", ["accuracy/group/unheard", "accuracy/device/s9", "loss/scene/tram"])
def test_metric_that_concerns_no_clip_is_refused(metric: str) -> None:
    with pytest.raises(ValueError, match=f"no clip counts for {metric}"):
        paired_interval([random_logits(1)], [random_logits(2)], CLIPS, metric)
