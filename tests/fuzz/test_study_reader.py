"""Whatever a study file holds, it is a study or one line that says what is wrong: never a traceback.

`make test` tries a few hundred inputs, `make fuzz` thousands (ASC_FUZZ: how many of each kind).
"""

import copy
import os
import random
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asc_experiments.base.errors import AscError
from asc_experiments.study.definition.study_file import StudyFile, read_study
from asc_experiments.study.search.search_space import SearchSpace

EXAMPLES = int(os.environ.get("ASC_FUZZ", "100"))
SHIPPED = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))
TEXTS = [path.read_text() for path in SHIPPED]
FRAGMENTS = [
    "&a", "*a", "<<: *a", "!!binary aGVsbG8=", "!!python/object/apply:os.system [exit]", "!!set {a, b}",
    "!!omap [a: 1]",
    "2001-01-01", "2001-13-41", "1:30", "0x" + "f" * 40, "1" * 50, "1e999", "-.inf", ".nan", "0b1", "~", "---", "...",
    "%YAML 3.0", "{", "}", "[", "]", "[" * 400, "{a: " * 400, "- " * 300, "? ", "|", ">", "\t", "\0", "\x1b[31m",
    "\u2028",
    "\ud7ff", "'", '"', "@", "`", "#", "null: 1", "true: 1", "1: 1", "name: x", "low: 0", "high: 1e300", "step: 1e-300",
    "9223372036854775807", "-9223372036854775808", "1e16", "1e-320",
]  # fmt: skip
fuzzed = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8),
    st.dates(), st.binary(max_size=4), st.sampled_from(FRAGMENTS[:20]), st.sampled_from([0, 1, 2, 1e300, 2**63, -1]),
    st.sampled_from(["grid", "tpe", "nsga2", "hyperband", "test", "accuracy_weighted", "passt", "audioset"]),
)  # fmt: skip
ranges = st.fixed_dictionaries(
    {"low": scalars, "high": scalars}, optional={"step": scalars, "log": st.booleans() | scalars}
)
values = st.recursive(
    scalars | ranges,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=4),
    max_leaves=8,
)


def outcome(path: Path) -> StudyFile | AscError:
    """The study, or the error that the program would print."""
    try:
        study = read_study(path)
        SearchSpace(study).check(str(path))
        study.definition_digest()
        study.model_dump_json()
    except AscError as error:
        assert error.line().isprintable(), repr(error.line())
        return error
    return study


def holders(value: Any) -> list[Any]:
    """Every mapping and list in a value."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return ([value] if isinstance(value, dict | list) else []) + [each for item in inner for each in holders(item)]


def changed(study: dict[str, Any], number: int, new: Any, how: str) -> dict[str, Any]:
    """A study with one of its values replaced, removed, or one added."""
    study, chance = copy.deepcopy(study), random.Random(number)
    holder = chance.choice([each for each in holders(study) if each])
    key = chance.choice(list(holder)) if isinstance(holder, dict) else chance.randrange(len(holder))
    if how == "remove":
        del holder[key]
    elif how == "add" and isinstance(holder, dict):
        holder[new if isinstance(new, str | int) else "more"] = new
    else:
        holder[key] = new
    return study


@fuzzed
@given(st.data())
def test_study_with_changed_values_is_a_study_or_one_line(tmp_path_factory: Any, data: st.DataObject) -> None:
    study = yaml.safe_load(data.draw(st.sampled_from(TEXTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        how = data.draw(st.sampled_from(["replace", "replace", "replace", "remove", "add"]))
        study = changed(study, data.draw(st.integers(0, 10_000)), data.draw(values), how)
        if not holders(study) or not any(holders(study)):
            break
    path = tmp_path_factory.getbasetemp() / "changed.yaml"
    path.write_text(yaml.safe_dump(study), encoding="utf-8")
    outcome(path)


@fuzzed
@given(
    st.sampled_from(TEXTS),
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(FRAGMENTS) | st.text(max_size=5)), max_size=6
    ),
)
def test_study_with_changed_text_is_a_study_or_one_line(
    tmp_path_factory: Any, text: str, edits: list[tuple[float, int, str]]
) -> None:
    for place, removed, put in edits:
        at = int(place * len(text))
        text = text[:at] + put + text[at + removed :]
    path = tmp_path_factory.getbasetemp() / "edited.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    outcome(path)


@fuzzed
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_study_or_one_line(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(content)
    outcome(path)


def test_an_unchanged_study_is_one() -> None:
    """Else the tests above could pass on errors alone."""
    for path in SHIPPED:
        assert isinstance(outcome(path), StudyFile)
