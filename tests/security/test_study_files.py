"""A study file of a few lines cannot take all memory or hours: aliases, depth, numbers and steps are bounded."""

from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.base.yaml import parse_assignments, parse_yaml, read_yaml
from asc_experiments.study.definition.study_file import read_study
from asc_experiments.study.search.search_space import SearchSpace

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
MERGED = "m0: &m0 {a: 1}\n" + "".join(f"m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 9)}]}}\n" for i in range(1, 10))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "stands for more than 100,000 values"),
        (MERGED, "stands for more than 100,000 values"),
        ("a: &a [*a]", "a value holds itself"),
        ("a: &a {b: *a}", "a value holds itself"),
        ("[" * 41 + "]" * 41, "nested more than 40 deep"),
        ("[" * 5_000, "nested too deeply"),
        ("{a: " * 5_000, "nested too deeply"),
        ("trials: " + "9" * 50, "a number is too large"),
        ("trials: " + "9" * 5_000, "a number is too large"),
        ("trials: 0x" + "f" * 100_000, "a number is too large"),
        ("trials: -9223372036854775808", "a number is too large"),
        ("a: '" + "x" * 1_000_000 + "'", "is too long for YAML"),
    ],
    ids=["laughs", "merges", "itself", "itself in a mapping", "deep", "brackets", "braces", "50 digits", "5000 digits",
         "hexadecimal", "below int64", "a megabyte"],
)  # fmt: skip
def test_small_text_makes_no_large_value(text: str, message: str) -> None:
    with pytest.raises(AscError, match=message) as caught:
        parse_yaml(text, "study.yaml")
    assert len(caught.value.line()) < 300


def test_aliases_and_merges_that_people_write_are_read() -> None:
    text = "common: &common {epochs: 3, seed: 9223372036854775807}\nstudent: {<<: *common, epochs: 4}\nteacher: *common"
    assert parse_yaml(text, "study.yaml") == {
        "common": {"epochs": 3, "seed": 2**63 - 1},
        "student": {"epochs": 4, "seed": 2**63 - 1},
        "teacher": {"epochs": 3, "seed": 2**63 - 1},
    }


def test_settings_on_the_command_line_are_bounded_alike() -> None:
    with pytest.raises(AscError, match="too large"):
        parse_assignments(["epochs=" + "9" * 50])


def test_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(AscError, match="is too long for YAML"):
        read_yaml(Path("/dev/zero"))


@pytest.mark.parametrize("sampler", ["random", "grid"])
@pytest.mark.parametrize("step", ["1e-300", "5e-324", "1e-9"])
def test_range_of_endless_steps_is_refused(study_file: Callable[..., Path], sampler: str, step: str) -> None:
    """A grid would list them all; for Optuna they are numbers that it cannot count with."""
    path = study_file(sampler=sampler, student=f"{{epochs: 2, weight_decay: {{low: 0, high: 1, step: {step}}}}}")
    with pytest.raises(AscError, match="'weight_decay' has more than 1,000,000 steps"):
        SearchSpace(read_study(path)).check(str(path))
