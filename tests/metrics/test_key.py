"""Names of metrics are values that are written and read back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asc_experiments
from asc_experiments.metrics import ACCURACY, DEVICE, ENSEMBLE, MetricKey, accuracy_of

PACKAGE = Path(asc_experiments.__file__).parent
NAME = re.compile(
    r"/?((validation|ensemble|std|replicated|targets)/)+"
    r"((accuracy|loss|ece|entropy|(dis)?agreement|device_generalization)(/\S*)?)?"
    r"|(accuracy|loss|ece|entropy|(dis)?agreement)/\S*"
    r"|/?(overall|macro|device|group|scene)/\S*"
    r"|device_generalization"
)
"""A metric's name, or a part of one."""
SAID = ("help", "epilog")
"""Arguments that are for people."""


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


def test_nothing_else_spells_names_of_metrics() -> None:
    others = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "metrics"]
    assert len(others) > 300
    spelt = {path.name: [text for text in _literals(path) if NAME.fullmatch(text)] for path in others}
    assert {name: texts for name, texts in spelt.items() if texts} == {}


@pytest.mark.parametrize(
    "line",
    [
        'x = "accuracy/group/unseen"',
        'y = f"{prefix}ece/device/{device}"',
        'z = name.startswith("accuracy/device/")',
        'u = f"validation/{name}"',
        'v = f"{metric}/device/{device}"',
    ],
)
def test_a_name_that_is_spelt_out_is_found(line: str, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(f'"""accuracy/macro"""\n{line}\nf(help="accuracy/macro")\n')
    assert [bool(NAME.fullmatch(text)) for text in _literals(file)].count(True) == 1


def _literals(path: Path) -> Iterator[str]:
    """The texts that a module has, and the pieces of those with fields, without what is for people alone."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    said = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    said |= {id(node.value) for node in nodes if isinstance(node, ast.keyword) and node.arg in SAID}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value
