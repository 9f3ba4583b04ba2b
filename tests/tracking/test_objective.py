"""Whatever an objective is measured on is counted: the clips, their places and devices, what one clip is worth."""

from pathlib import Path

import numpy as np
import pytest

from asc_experiments.corpus.index import Corpus
from asc_experiments.corpus.reader import Clip
from asc_experiments.tracking.objective import ObjectiveClips, count_objective

GROUPS = {"a": "real", "s1": "seen", "s3": "unseen"}


def corpus() -> Corpus:
    """Two scenes, two places of each; ``a`` recorded 40 clips, ``s1`` 20, ``s3`` 9 of which 3 are of the tram."""
    clips = [Clip(f"{n}.wav", "bus" if n % 2 else "tram", f"city-{n // 2 % 2}", "a") for n in range(40)]
    clips += [Clip(f"s1-{n}.wav", "bus", "city-0", "s1") for n in range(20)]
    clips += [Clip(f"s3-{n}.wav", "bus" if n < 6 else "tram", f"city-{n % 2}", "s3") for n in range(9)]
    return Corpus(Path(), tuple(clips), len(clips))


@pytest.mark.parametrize(
    ("metric", "line"),
    [
        (
            "accuracy/group/unseen",
            "accuracy/group/unseen on 9 held-out clips of s3 at 4 places: one clip is 11.1 points",
        ),
        ("accuracy/device/s1", "accuracy/device/s1 on 20 held-out clips of s1 at 1 place: one clip is 5.0 points"),
        ("accuracy/overall", "accuracy/overall on 69 held-out clips at 4 places: one clip is 1.4 points"),
        ("accuracy/macro", "accuracy/macro on 69 held-out clips at 4 places: one clip is up to 2.2 points"),
        ("accuracy/scene/tram", "accuracy/scene/tram on 23 held-out clips at 2 places: one clip is 4.3 points"),
        ("loss/group/unseen", "loss/group/unseen on 9 held-out clips of s3 at 4 places"),
        ("device_generalization", "device_generalization on 69 held-out clips at 4 places"),
    ],
)
def test_clips_of_an_objective_are_counted_and_told_in_a_line(metric: str, line: str) -> None:
    found = count_objective(metric, "validation", np.arange(69), corpus(), GROUPS)
    assert found.line == line
    assert ObjectiveClips.from_tags(found.tags()) is not None
    assert ObjectiveClips.from_tags(found.tags()).line == line  # type: ignore[union-attr]


def test_few_clips_are_warned_of_and_a_hundred_are_not() -> None:
    few = ObjectiveClips("accuracy/group/unseen", "validation", 9, 3, ("s3",), 11.1)
    assert few.note.endswith(
        "(fewer than 100 clips: most differences between trials are chance; "
        "hold more out: validation.fraction, validation.held_out_device_clips)"
    )
    assert ObjectiveClips("accuracy/overall", "validation", 99, 3).warning
    assert ObjectiveClips("accuracy/overall", "validation", 100, 3).warning == ""
    tested = ObjectiveClips("accuracy/overall", "test", 29_680, 400, (), 100 / 29_680)
    assert tested.note == "accuracy/overall on 29,680 test clips at 400 places: one clip is 0.0034 points"


def test_study_of_an_earlier_version_does_not_say_its_clips() -> None:
    assert ObjectiveClips.from_tags({"asc.objective": "accuracy/overall", "asc.objective_split": "test"}) is None
