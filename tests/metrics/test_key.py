"""Names of metrics are values that are written and read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asc_experiments.metrics import MetricKey, accuracy_of


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
