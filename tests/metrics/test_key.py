"""Names of metrics are values that are written and read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asc_experiments.metrics import ACCURACY, DEVICE, ENSEMBLE, MetricKey, accuracy_of


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("accuracy/overall", MetricKey("accuracy")),
        ("accuracy/group/held_out", MetricKey("accuracy", "group", "held_out")),
        ("device_generalization", MetricKey("device_generalization", "")),
        ("validation/accuracy/device/s4", MetricKey("accuracy", "device", "s4", "validation")),
        ("replicated/std/loss/overall", MetricKey("loss", prefix="replicated/std")),
        ("accuracy/scene/street/pedestrian", MetricKey("accuracy", "scene", "street/pedestrian")),
        ("complexity/macs", MetricKey("complexity", "macs")),
        ("validation", MetricKey("validation", "")),
    ],
)
def test_name_is_read_into_its_parts_and_written_again(text: str, key: MetricKey) -> None:
    assert MetricKey.parse(text) == key
    assert str(key) == text


@given(st.lists(st.text("abst_", min_size=1) | st.sampled_from(["validation", "std"]), min_size=1).map("/".join))
def test_any_name_is_written_as_it_was_read(text: str) -> None:
    assert str(MetricKey.parse(text)) == text


def test_other_clips_and_another_split_are_other_names_of_the_same_metric() -> None:
    key = MetricKey.parse("accuracy/group/unseen")
    assert str(key.on("validation")) == "validation/accuracy/group/unseen"
    assert str(key.on("validation").on("")) == accuracy_of("group", "unseen") == "accuracy/group/unseen"
    assert str(key.of("macro")) == "accuracy/macro"


def test_members_are_those_of_one_metric_and_part_in_the_order_of_the_names() -> None:
    names = [
        "accuracy/overall",
        "accuracy/device/s4",
        "ensemble/accuracy/device/s4",
        "ece/device/a",
        "accuracy/device/a",
    ]
    devices = ACCURACY.of(DEVICE)
    assert list(devices.members(names).items()) == [("s4", "accuracy/device/s4"), ("a", "accuracy/device/a")]
    assert devices.on(ENSEMBLE).members(names) == {"s4": "ensemble/accuracy/device/s4"}
    assert all(name.startswith(devices.start) for name in devices.members(names).values())


@pytest.mark.parametrize("clips", ["overall", "macro", "device/s4", "scene/street/pedestrian", ""])
def test_the_end_of_a_name_says_which_clips(clips: str) -> None:
    assert MetricKey.parse(f"accuracy/{clips}".rstrip("/")).clips == clips
