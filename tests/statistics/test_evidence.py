"""Answers counted by place and device give the Scorecard's own figures."""

import numpy as np
import pytest

from asc_experiments.metrics import metric_names
from asc_experiments.statistics import Evidence, as_one, pooled
from asc_experiments.statistics.evidence import from_bytes, to_bytes
from asc_experiments.training import score

DEVICES = ("a", "b", "s1", "s4")
GROUPS = {"a": "real", "b": "real", "s1": "seen", "s4": "unseen"}
SCENES = ("airport", "bus", "park/lake")
NAMES = metric_names(DEVICES, list(GROUPS.values()), SCENES)


class Clips:
    """Clips of 12 places, four of each scene, on four devices."""

    def __init__(self, n: int = 240, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        place = rng.integers(0, 12, n)
        self.places = np.array([f"{SCENES[number % 3]}/{number}" for number in place])
        self.labels = place % 3
        self.devices = np.array(DEVICES)[rng.integers(0, 4, n)]

    def logits(self, seed: int) -> np.ndarray:
        return np.random.default_rng([seed, 7]).normal(size=(len(self.labels), 3))

    def evidence(self, *seeds: int) -> Evidence:
        logits = [self.logits(seed) for seed in seeds]
        return Evidence.of(logits, self.labels, self.devices, self.places, GROUPS, SCENES)


@pytest.mark.parametrize("metric", NAMES)
def test_measures_what_the_scorecard_measures(metric: str) -> None:
    clips = Clips()
    cards = [score(clips.logits(seed), clips.labels, clips.devices, GROUPS, SCENES)[metric] for seed in (1, 2)]
    assert clips.evidence(1, 2).measure(metric) == pytest.approx(cards)


@pytest.mark.parametrize("metric", ["accuracy/group/unheard", "accuracy/device/s9", "loss/scene/tram", "ece/overall"])
def test_metric_that_concerns_no_clip_is_refused(metric: str) -> None:
    for ask in (Clips().evidence(1).measure, Clips().evidence(1).counts):
        with pytest.raises(ValueError, match=f"no clip counts for {metric}"):
            ask(metric)


def test_clips_and_places_of_a_metric_are_counted() -> None:
    clips = Clips()
    table = clips.evidence(1)
    assert table.counts("accuracy/macro") == (240, 12)
    of_s4 = clips.devices == "s4"
    assert table.counts("accuracy/group/unseen") == (of_s4.sum(), len(set(clips.places[of_s4])))
    of_bus = clips.labels == 1
    assert table.counts("accuracy/scene/bus") == (of_bus.sum(), 4)


def test_answers_are_counted_by_scene() -> None:
    clips = Clips()
    counts = np.bincount(clips.logits(1).argmax(axis=1), minlength=3)
    assert (clips.evidence(1).answers == counts).all()


def test_scenes_that_share_a_place_name_are_two_places() -> None:
    logits = np.eye(3)[[0, 1]]
    table = Evidence.of([logits], np.array([0, 1]), ["a", "a"], ["oslo-1", "oslo-1"], GROUPS, SCENES)
    assert table.places == ("oslo-1", "oslo-1")
    assert table.scene_of.tolist() == [0, 1]
    assert table.measure("accuracy/macro") == pytest.approx([1.0])


def test_students_of_the_same_clips_are_pooled() -> None:
    clips = Clips()
    both = pooled([clips.evidence(1), clips.evidence(2, 3)])
    assert both.students == 3
    assert both.measure("accuracy/macro") == pytest.approx(clips.evidence(1, 2, 3).measure("accuracy/macro"))
    with pytest.raises(ValueError, match="same clips"):
        pooled([clips.evidence(1), Clips(seed=1).evidence(1)])


def test_students_of_one_teacher_count_as_one() -> None:
    clips = Clips()
    one = as_one(clips.evidence(1, 2, 3))
    assert one.students == 1
    for metric in ("accuracy/macro", "loss/overall", "accuracy/group/unseen"):
        assert one.measure(metric) == pytest.approx([clips.evidence(1, 2, 3).measure(metric).mean()])
    assert pooled([one, as_one(clips.evidence(4))]).students == 2


def test_tables_are_read_as_they_were_written() -> None:
    clips = Clips()
    written = {"test": clips.evidence(1, 2), "validation": Clips(60, 3).evidence(4)}
    read = from_bytes(to_bytes(written))
    assert list(read) == ["test", "validation"]
    for split, table in written.items():
        assert read[split].is_of_the_same_clips(table)
        assert read[split].scenes == table.scenes
        for name in NAMES:
            assert read[split].measure(name) == pytest.approx(table.measure(name))
        assert (read[split].answers == table.answers).all()


@pytest.mark.parametrize("cut", [0, 10, 300])
def test_damaged_file_is_told(cut: int) -> None:
    content = to_bytes({"test": Clips().evidence(1)})
    with pytest.raises(ValueError, match="no table of evidence"):
        from_bytes(content[:cut])


def test_table_for_tau22s_test_fold_stays_small() -> None:
    rng = np.random.default_rng(0)
    places = np.array([f"place{number}" for number in range(146)]).repeat(200)
    labels = (np.arange(146) % 3).repeat(200)
    devices = np.array(["a", "b", "c", *(f"s{n}" for n in range(1, 7))])[rng.integers(0, 9, len(labels))]
    groups = dict.fromkeys(set(devices.tolist()), "real")
    logits = [rng.normal(size=(len(labels), 3)) for _ in range(3)]
    assert len(to_bytes({"test": Evidence.of(logits, labels, devices, places, groups, SCENES)})) < 64_000
