"""Study files are read strictly: the key, the reason, the nearest valid name."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_experiments.base.errors import AscError
from asc_experiments.base.yaml import parse_yaml
from asc_experiments.study.file import StudyFile, read_study
from asc_experiments.study.space import SearchSpace

SHIPPED = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))
Write = Callable[..., Path]


def check(path: Path) -> StudyFile:
    study = read_study(path)
    SearchSpace(study).check(str(path))
    return study


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_study_is_valid_and_says_what_it_is(path: Path) -> None:
    study = check(path)
    head = path.read_text().split("name:")[0]
    for heading in ("What it answers:", "What it needs:", "Command:"):
        assert heading in head
    assert study.trials >= 4


def test_fixed_choices_and_ranges_are_read(study_file: Write) -> None:
    study = check(study_file(student="{base_channels: {low: 8, high: 16, step: 8}, epochs: 2}"))
    assert study.ensemble.size == (1, 2)
    assert study.validation.fraction == 0.3


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"trails": "3"}, r"unknown key 'trails'; did you mean 'trials'\?"),
        ({"trials": "many"}, r"'trials' is 'many'"),
        ({"trials": "0"}, r"'trials' is 0"),
        ({"sampler": "grit"}, r"'sampler' is 'grit'"),
        ({"objective": "{metrik: accuracy/macro}"}, r"unknown key 'objective\.metrik'; did you mean 'metric'\?"),
        ({"ensemble": "{size: 1, pool: []}"}, r"ensemble\.pool"),
        ({"ensemble": "{size: 33, pool: [{arch: passt}]}"}, r"a whole number from 0 to 32, not 33"),
        ({"ensemble": "{size: 1, pool: [{base_channels: 8}]}"}, r"entry 1 of the pool needs an arch"),
        ({"ensemble": "{size: 1, pool: [{arch: cp_mobil}]}"}, r"unknown architecture 'cp_mobil'.*'cp_mobile'"),
        ({"ensemble": "{size: 1, pool: [{arch: passt}, {arch: passt}]}"}, r"two kinds .* 'passt'"),
        ({"ensemble": "{size: 1, pool: [{arch: passt, augment: [none, dirfm]}]}"}, r"unknown augment 'dirfm'"),
        ({"student": "{base_channel: 8}"}, r"no 'base_channel'; did you mean 'base_channels'\?"),
        ({"student": "{epochs: {low: 5, high: 5}}"}, r"the range from 5 to 5 is empty"),
        ({"student": "{epochs: []}"}, r"student\.epochs"),
        ({"student": "{learning_rate: 0}"}, r"learning_rate.* is 0"),
        ({"distillation": "{temperatur: 2}"}, r"unknown key 'temperatur'; did you mean 'temperature'\?"),
        ({"validation": "{fraction: 0}"}, r"validation\.fraction above 0"),
        ({"name": "teachers"}, r"'teachers' is taken"),
        ({"name": "../escape"}, r"'name' is '\.\./escape'"),
        ({"enqueue": "[{ensemble_sise: 1}]"}, r"'ensemble_sise' is no parameter.*'ensemble_size'"),
        ({"enqueue": "[{ensemble_size: 7}]"}, r"ensemble_size is 7; valid: 1, 2"),
        ({"enqueue": "[{ensemble_size: true}]"}, r"ensemble_size is True; valid: 1, 2"),
        ({"student": "{where: 3}"}, r"no 'where'"),
        (
            {"ensemble": "{size: {low: 1, high: 3, step: 0.5}, pool: [{arch: passt}]}"},
            r"number of teachers is a? ?whole",
        ),
        ({"ensemble": "{size: 1, pool: [{arch: passt, name: 'a (b)'}]}"}, r"'a \(b\)' is no name"),
        ({"ensemble": "{size: 1, pool: [{arch: cp_resnet, base_channels: {low: 16, high: 32}}]}"}, r"multiple of 2"),
        (
            {"ensemble": "{size: 1, pool: [{arch: passt, embed_dim: [96, 100], num_heads: [4, 8]}]}"},
            r"embed_dim 100 is not a multiple of num_heads 8",
        ),
    ],
)
def test_mistake_is_one_line_with_the_key_and_the_remedy(
    study_file: Write, replaced: dict[str, str], message: str
) -> None:
    # a group on its own line is replaced whole
    path = study_file(**replaced)
    if "ensemble" in replaced:
        lines = [line for line in path.read_text().splitlines() if not line.startswith(" ")]
        path.write_text("\n".join(lines))
    with pytest.raises(AscError, match=message) as caught:
        check(path)
    assert "\n" not in caught.value.line()
    assert str(path) in caught.value.line()


def test_file_that_is_no_yaml_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: x\n  trials: [1\n")
    with pytest.raises(AscError, match=r"bad\.yaml line 2"):
        read_study(tmp_path / "bad.yaml")


def test_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(AscError, match="no such file"):
        read_study(tmp_path / "nowhere.yaml")


def test_overrides_reach_nested_settings(study_file: Write) -> None:
    study = read_study(study_file(), {"student.epochs": 7, "validation.seed": 3, "ensemble.common.epochs": 5})
    assert study.student["epochs"] == 7
    assert study.validation.seed == 3
    assert study.ensemble.common["epochs"] == 5


def test_only_the_total_may_change_while_a_study_goes_on(study_file: Write) -> None:
    first = read_study(study_file())
    assert first.definition_digest() == read_study(study_file(), {"trials": 99}).definition_digest()
    assert first.definition_digest() != read_study(study_file(), {"student.epochs": 9}).definition_digest()


@settings(max_examples=60)
@given(st.text(max_size=200))
def test_any_text_is_a_study_or_a_clear_error(text: str) -> None:
    try:
        values = parse_yaml(text, "x")
        StudyFile.parse(values, "x")
    except AscError as error:
        assert "\n" not in error.line()
